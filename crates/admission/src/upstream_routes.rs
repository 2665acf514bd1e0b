//! The routes of llama-server, and the scope that an API key needs for each.
//!
//! A path is read as the child reads it (llama.cpp b11434, vendor/cpp-httplib/httplib.cpp,
//! `Server::parse_request_line` and `PathParamsMatcher::match`): `%XX` and `%uXXXX` are decoded, and the
//! result is compared byte for byte with each route. Slashes are not collapsed, `.` and `..` have no meaning,
//! and case matters. Any prefix may precede a route, because a child serves its routes under `--api-prefix` too,
//! which a variable or a start script can also set.

use Methods::{Any, Read};
use paddock_config::Scope::{self, Control, Inference, Metrics};
use std::borrow::Cow;

/// Methods of a rule.
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

struct RouteRule {
    methods: Methods,
    /// The path behind any prefix; a last segment of `:id` stands for a number.
    path: &'static str,
    scope: Scope,
    stream: StreamRoute,
}

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

fn last_slash(path: &[u8]) -> Option<usize> {
    path.iter().rposition(|byte| *byte == b'/')
}

/// Decodes a path as the child does (`decode_path_component`).
fn percent_decode(path: &[u8]) -> Cow<'_, [u8]> {
    if !path.contains(&b'%') {
        return Cow::Borrowed(path);
    }
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((first, behind)) = rest.split_first() {
        let (digits, long) = match (first, behind.first()) {
            (b'%', Some(b'u')) => (behind.get(1..5), true),
            (b'%', _) => (behind.get(..2), false),
            _ => (None, false),
        };
        match digits.and_then(parse_hex) {
            Some(code) if long => {
                // The child drops half of a surrogate pair.
                let char = char::from_u32(code).map(|char| char.to_string());
                out.extend(char.unwrap_or_default().into_bytes());
                rest = behind.get(5..).unwrap_or_default();
            }
            Some(code) => {
                out.extend(u8::try_from(code));
                rest = behind.get(2..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = behind;
            }
        }
    }
    Cow::Owned(out)
}

fn parse_hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, digit| {
        Some(number << 4 | char::from(*digit).to_digit(16)?)
    })
}

#[cfg(test)]
mod tests {
    use super::StreamRoute::{Lookup, MayOpen, Resume, Unrelated};
    use super::*;

    fn scope(method: &str, path: &str) -> Scope {
        UpstreamRoute::find(method.as_bytes(), path.as_bytes()).scope
    }

    #[test]
    fn every_route_has_the_scope_of_its_row() {
        for rule in ROUTES {
            let path = rule.path.replace(ID_SEGMENT, "/0");
            let method = match rule.methods {
                Read => "GET",
                Any => "POST",
            };
            for prefix in ["", "/v1", "/api/v1.0", "/upstream/org/m"] {
                let path = format!("{prefix}{path}");
                assert_eq!(scope(method, &path), rule.scope, "{method} {path}");
                let encoded: Vec<_> = path.bytes().map(|byte| format!("%{byte:02x}")).collect();
                let encoded = encoded.concat();
                assert_eq!(scope(method, &encoded), rule.scope, "{method} {path}");
            }
        }
    }

    #[test]
    fn paths_that_no_child_has_are_told_apart() {
        for path in [
            "/v1/chat/completions",
            "/chat/completions",
            "/v1/chat/completions/input_tokens",
            "/v1/messages/count_tokens",
            "/completion",
            "/slots/0",
            "/v1/%63ompletions",
            "/v1/streams/lookup",
            "/tools",
        ] {
            assert!(is_route(path.as_bytes()), "{path}");
        }
        for path in [
            "/",
            "",
            "*",
            "//v1/models",
            "/v1//models",
            "/v1/v1/models",
            "/api/v1/models",
            "/v1/chat/completions/",
            "/slots/0/1",
            "/wp-login.php",
        ] {
            assert!(!is_route(path.as_bytes()), "{path}");
        }
    }

    #[test]
    fn what_changes_a_child_needs_control() {
        for (method, path) in [
            ("POST", "/props"),
            ("PUT", "/props"),
            ("POST", "/lora-adapters"),
            ("DELETE", "/lora-adapters"),
            ("GET", "/slots"),
            ("HEAD", "/slots"),
            ("POST", "/slots/0"),
            ("POST", "/slots/12"),
            ("POST", "/slots/0/"),
            ("POST", "/slots/-1"),
            ("POST", "/slots/%30"),
            ("POST", "/slots/%2530"),
            ("POST", "/slots/ 0"),
            ("POST", "/slots/"),
            ("POST", "/models"),
            ("DELETE", "/models"),
            ("DELETE", "/v1/models"),
            ("POST", "/models/load"),
            ("POST", "/models/unload"),
            ("GET", "/tools"),
            ("POST", "/tools"),
            ("GET", "/cors-proxy"),
            ("POST", "/cors-proxy"),
            ("POST", "/predict"),
            ("POST", "/%70rops"),
            ("POST", "/%50ROPS/../props"),
            ("POST", "/%u0070rops"),
            ("POST", "/x%2Fprops"),
            ("POST", "/x%u002fprops"),
            ("POST", "/upstream/m/props"),
            ("POST", "/upstream/org%2Fm/lora-adapters"),
            ("POST", "//props"),
            ("POST", "/a/./props"),
        ] {
            assert_eq!(scope(method, path), Control, "{method} {path}");
        }
        for path in ["/metrics", "/api/metrics", "/%6Detrics"] {
            assert_eq!(scope("GET", path), Metrics, "{path}");
            assert_eq!(scope("HEAD", path), Metrics, "{path}");
        }
    }

    #[test]
    fn what_asks_a_model_and_what_no_child_has_is_for_inference() {
        for (method, path) in [
            ("GET", "/props"),
            ("HEAD", "/props"),
            ("GET", "/lora-adapters"),
            ("GET", "/v1/models"),
            ("GET", "/models/sse"),
            ("POST", "/v1/chat/completions"),
            ("POST", "/v1/chat/completions/control"),
            ("OPTIONS", "/slots"),
            ("OPTIONS", "/props"),
            // The child would not find these either.
            ("POST", "/PROPS"),
            ("POST", "/props/"),
            ("POST", "/props/x"),
            ("POST", "/xprops"),
            ("POST", "/props%3Fx"),
            ("POST", "/props%00"),
            ("POST", "/%7rops"),
            ("POST", "/%"),
            ("POST", "/%u00"),
            // A model may be called as a route is.
            ("POST", "/upstream/slots/v1/completions"),
            ("POST", "/upstream/slots/completion"),
            ("POST", "/upstream/tools/completion"),
            ("GET", "/"),
            ("GET", "/index.html"),
            ("POST", "/new-in-a-later-release"),
            ("", ""),
        ] {
            assert_eq!(scope(method, path), Inference, "{method} {path}");
        }
    }

    #[test]
    fn streams_that_can_be_resumed_are_found() {
        let stream = |method: &str, path: &str| {
            UpstreamRoute::find(method.as_bytes(), path.as_bytes()).stream
        };
        for (method, path, expected) in [
            ("POST", "/v1/chat/completions", MayOpen),
            ("POST", "/new-in-a-later-release", MayOpen),
            ("POST", "/props", Unrelated),
            ("GET", "/v1/chat/completions", Unrelated),
            ("GET", "/props", Unrelated),
            ("GET", "/x", Unrelated),
            ("OPTIONS", "/v1/stream", Unrelated),
            ("GET", "/v1/stream", Resume),
            ("HEAD", "/v1/stream", Resume),
            ("DELETE", "/v1/stream", Resume),
            ("DELETE", "/api/v1/s%74ream", Resume),
            ("POST", "/v1/streams/lookup", Lookup),
            ("POST", "/upstream/m/v1/streams/lookup", Lookup),
        ] {
            assert_eq!(stream(method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn no_row_hides_a_later_one_that_needs_more() {
        for (index, later) in ROUTES.iter().enumerate() {
            let path = later.path.replace(ID_SEGMENT, "/0");
            let hides = |earlier: &&RouteRule| {
                let all = earlier.methods == Any || later.methods == Read;
                all && is_match(path.as_bytes(), earlier.path)
            };
            if let Some(earlier) = ROUTES[..index].iter().find(hides) {
                assert_eq!(
                    (earlier.scope, earlier.stream),
                    (later.scope, later.stream),
                    "{}",
                    later.path
                );
            }
        }
    }
}
