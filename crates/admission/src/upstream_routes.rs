//! The routes of llama-server, and the scope that an API key needs for each.
//!
//! A path is read as the child (the `llama-server` process) reads it (llama.cpp b11434, vendor/cpp-httplib/httplib.cpp,
//! `Server::parse_request_line` and `PathParamsMatcher::match`): `%XX` and `%uXXXX` are decoded, and the
//! result is compared byte for byte with each route. Slashes are not collapsed, `.` and `..` have no meaning,
//! and case matters. Any prefix may precede a route, because a child serves its routes under `--api-prefix` too,
//! which a variable or a start script can also set.

mod percent_decode;

use Methods::{Any, Read};
use paddock_config::Scope::{self, Control, Inference, Metrics};
use percent_decode::percent_decode;

/// Methods to which a rule applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Methods {
    /// GET and HEAD: the child has one handler for both.
    Read,
    /// All but OPTIONS, which the child answers itself on every path, without doing anything.
    Any,
}

/// The use that a route makes of streams that a client can resume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamRoute {
    /// Opens a stream if the request names a conversation (`X-Conversation-Id`).
    MayOpen,
    /// Reads or stops the stream that the query names.
    Resume,
    /// Lists the streams that the body names.
    Lookup,
    /// Does not use resumable streams.
    Unrelated,
}

/// The requirements of the child's route that a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpstreamRoute {
    /// The scope that the API key needs.
    pub scope: Scope,
    /// Use that the route makes of resumable streams.
    pub stream: StreamRoute,
}

/// The requirements of one route of llama-server.
struct RouteRule {
    methods: Methods,
    /// The path behind any prefix; a last segment of `:id` stands for a number.
    path: &'static str,
    scope: Scope,
    stream: StreamRoute,
}

/// Creates a rule. An inference route that is not only read may open a resumable stream.
const fn rule(methods: Methods, path: &'static str, scope: Scope) -> RouteRule {
    let stream = match (methods, scope) {
        (Any, Inference) => StreamRoute::MayOpen,
        _ => StreamRoute::Unrelated,
    };
    RouteRule {
        methods,
        path,
        scope,
        stream,
    }
}

const fn stream_rule(path: &'static str, stream: StreamRoute) -> RouteRule {
    RouteRule {
        methods: Any,
        path,
        scope: Inference,
        stream,
    }
}

/// Every route of llama-server (llama.cpp b11434, tools/server/server.cpp, from "register API routes" on;
/// server-http.cpp, `register_gcp_compat`). The first rule that matches counts; the most frequent routes come first.
const ROUTES: &[RouteRule] = &[
    rule(Any, "/chat/completions", Inference),
    rule(Any, "/completions", Inference),
    rule(Any, "/completion", Inference),
    rule(Any, "/responses", Inference),
    rule(Any, "/messages", Inference),
    rule(Any, "/embeddings", Inference),
    rule(Any, "/embedding", Inference),
    rule(Any, "/rerank", Inference),
    rule(Any, "/reranking", Inference),
    rule(Any, "/infill", Inference),
    rule(Any, "/audio/transcriptions", Inference),
    rule(Any, "/v1/systemone", Inference),
    rule(Any, "/tokenize", Inference),
    rule(Any, "/detokenize", Inference),
    rule(Any, "/apply-template", Inference),
    rule(Any, "/input_tokens", Inference),
    rule(Any, "/count_tokens", Inference),
    // Ends the reasoning of a completion; only its own client knows the id.
    rule(Any, "/v1/chat/completions/control", Inference),
    rule(Read, "/health", Inference),
    rule(Any, "/metrics", Metrics),
    // Reads settings; a POST changes them for all clients.
    rule(Read, "/props", Inference),
    rule(Any, "/props", Control),
    // Lists models; other methods load, unload and remove them if the child is a router.
    rule(Read, "/models", Inference),
    rule(Any, "/models", Control),
    rule(Read, "/models/sse", Inference),
    rule(Any, "/models/sse", Control),
    rule(Any, "/models/load", Control),
    rule(Any, "/models/unload", Control),
    // Lists adapters; a POST sets their scales for all clients.
    rule(Read, "/lora-adapters", Inference),
    rule(Any, "/lora-adapters", Control),
    // Shows the settings of other clients' requests, and with LLAMA_SERVER_SLOTS_DEBUG, or in older releases,
    // their prompts and answers (server-context.cpp, `server_slot::to_json`).
    rule(Any, "/slots", Control),
    // Saves, restores and erases contexts.
    rule(Any, "/slots/:id", Control),
    // Run programs, and send requests to any address on behalf of the client.
    rule(Any, "/tools", Control),
    rule(Any, "/cors-proxy", Control),
    // With AIP_MODE=PREDICTION: calls any other route by the name in its body.
    rule(Any, "/predict", Control),
    stream_rule("/v1/stream", StreamRoute::Resume),
    stream_rule("/v1/streams/lookup", StreamRoute::Lookup),
];

/// Path of the slots, after any prefix.
const SLOTS: &[u8] = b"/slots";

/// Last segment of a pattern that stands for a number.
const ID_SEGMENT: &str = "/:id";

/// Prefixes that rules omit, of the routes that a child has without `--api-prefix`.
const PATH_PREFIXES: [&str; 7] = [
    "",
    "/v1",
    "/chat/completions",
    "/v1/chat/completions",
    "/responses",
    "/v1/responses",
    "/v1/messages",
];

/// Returns whether llama-server may have a route of exactly this path, without another prefix.
pub fn is_route(path: &[u8]) -> bool {
    let path = percent_decode(path);
    ROUTES.iter().any(|rule| {
        let parents = PATH_PREFIXES.iter();
        let mut behind = parents.filter_map(|parent| path.strip_prefix(parent.as_bytes()));
        behind.any(|rest| match rule.path.strip_suffix(ID_SEGMENT) {
            None => rest == rule.path.as_bytes(),
            Some(above) => rest
                .strip_prefix(above.as_bytes())
                .is_some_and(|id| id.first() == Some(&b'/') && !id[1..].contains(&b'/')),
        })
    })
}

impl UpstreamRoute {
    /// Returns the route of a method and a path with any prefix. Unknown routes need the inference scope.
    pub fn find(method: &[u8], path: &[u8]) -> Self {
        let reads = matches!(method, b"GET" | b"HEAD");
        let unknown = Self {
            scope: Inference,
            stream: if reads {
                StreamRoute::Unrelated
            } else {
                StreamRoute::MayOpen
            },
        };
        if method == b"OPTIONS" {
            return Self {
                stream: StreamRoute::Unrelated,
                ..unknown
            };
        }
        let path = percent_decode(path);
        let mut rules = ROUTES.iter();
        let found = rules.find(|rule| (reads || rule.methods == Any) && is_match(&path, rule.path));
        found.map_or(unknown, |rule| Self {
            scope: rule.scope,
            stream: match rule.stream {
                StreamRoute::MayOpen if reads => StreamRoute::Unrelated,
                stream => stream,
            },
        })
    }
}

fn is_match(path: &[u8], pattern: &str) -> bool {
    match pattern.strip_suffix(ID_SEGMENT) {
        None => path.ends_with(pattern.as_bytes()),
        Some(parent) => is_id_below(path, parent.as_bytes()),
    }
}

/// Returns whether a path is `parent` and a segment that may be a number.
///
/// The child takes the segment without a trailing slash, decodes it once more and reads it with `std::stoi`, which
/// skips white space and a sign and ignores anything after the digits. A segment that begins with a letter is no
/// number, and may be a route below a prefix.
fn is_id_below(path: &[u8], parent: &[u8]) -> bool {
    let path = path.strip_suffix(b"/").unwrap_or(path);
    let slash = last_slash(path).unwrap_or_default();
    let (above, id) = path.split_at_checked(slash).unwrap_or((path, &[]));
    // An empty id leaves only the route itself.
    path.ends_with(parent)
        || above.ends_with(parent) && !id.get(1).is_some_and(u8::is_ascii_alphabetic)
}

/// Returns true if a request could save, restore or erase a slot of the child; the path may have any prefix.
///
/// The action is not examined: it can be in the query, or in a form in the body. A last segment that begins with a
/// letter is not a slot number: the child refuses the action, or a prefix makes the path another route.
pub fn is_slot_action(method: &[u8], path: &[u8]) -> bool {
    if method != b"POST" {
        return false;
    }
    let path = percent_decode(path);
    let (above, last) = split_last_segment(&path);
    let is_action = |above: &[u8], id: &[u8]| {
        above.ends_with(SLOTS) && !id.first().is_some_and(u8::is_ascii_alphabetic)
    };
    // The child ignores one slash at the end.
    is_action(above, last)
        || last.is_empty() && {
            let (above, id) = split_last_segment(above);
            is_action(above, id)
        }
}

/// Splits a path at its last slash and drops the slash.
fn split_last_segment(path: &[u8]) -> (&[u8], &[u8]) {
    let slash = last_slash(path).unwrap_or(path.len());
    let (above, last) = path.split_at_checked(slash).unwrap_or((path, &[]));
    (above, last.get(1..).unwrap_or_default())
}

fn last_slash(path: &[u8]) -> Option<usize> {
    path.iter().rposition(|byte| *byte == b'/')
}

#[cfg(test)]
mod tests;
