//! The routes of llama-server, and what an API key has to allow for each.
//!
//! A path is read as the child reads it (llama.cpp b11434, vendor/cpp-httplib/httplib.cpp,
//! `Server::parse_request_line` and `PathParamsMatcher::match`): `%XX` and `%uXXXX` are decoded, and the
//! result is compared byte for byte with each route. Slashes are not collapsed, `.` and `..` mean nothing,
//! letters keep their case. A route counts whatever stands before it, since a child serves its routes under
//! `--api-prefix` too, which a variable or a start script can set as well.

use Methods::{Any, Read};
use paddock_config::Scope::{self, Control, Inference, Metrics};
use std::borrow::Cow;

/// Requests to a route.
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
    /// Opens one if the request names a conversation (`X-Conversation-Id`).
    MayOpen,
    /// Reads or stops the one that the query names.
    Resume,
    /// Lists those that the body names.
    Lookup,
    /// Has nothing to do with them.
    Unrelated,
}

/// The route of a child that a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpstreamRoute {
    /// The scope that the API key needs.
    pub scope: Scope,
    /// Use that the route makes of resumable streams.
    pub stream: StreamRoute,
}

struct Row {
    methods: Methods,
    /// The path behind any prefix; a last segment of `:id` stands for a number.
    path: &'static str,
    scope: Scope,
    stream: StreamRoute,
}

const fn row(methods: Methods, path: &'static str, scope: Scope) -> Row {
    let stream = match (methods, scope) {
        (Any, Inference) => StreamRoute::MayOpen,
        _ => StreamRoute::Unrelated,
    };
    Row {
        methods,
        path,
        scope,
        stream,
    }
}

const fn streams(path: &'static str, stream: StreamRoute) -> Row {
    Row {
        methods: Any,
        path,
        scope: Inference,
        stream,
    }
}

/// Every route of llama-server (llama.cpp b11434, tools/server/server.cpp, from "register API routes" on;
/// server-http.cpp, `register_gcp_compat`). The first row that matches counts; those asked most come first.
const ROUTES: &[Row] = &[
    row(Any, "/chat/completions", Inference),
    row(Any, "/completions", Inference),
    row(Any, "/completion", Inference),
    row(Any, "/responses", Inference),
    row(Any, "/messages", Inference),
    row(Any, "/embeddings", Inference),
    row(Any, "/embedding", Inference),
    row(Any, "/rerank", Inference),
    row(Any, "/reranking", Inference),
    row(Any, "/infill", Inference),
    row(Any, "/audio/transcriptions", Inference),
    row(Any, "/v1/systemone", Inference),
    row(Any, "/tokenize", Inference),
    row(Any, "/detokenize", Inference),
    row(Any, "/apply-template", Inference),
    row(Any, "/input_tokens", Inference),
    row(Any, "/count_tokens", Inference),
    // Ends the reasoning of a completion, whose id only its own client has.
    row(Any, "/v1/chat/completions/control", Inference),
    row(Read, "/health", Inference),
    row(Any, "/metrics", Metrics),
    // Reads settings; a POST changes them for everybody.
    row(Read, "/props", Inference),
    row(Any, "/props", Control),
    // Lists models; another method loads, unloads and removes them, where the child is a router.
    row(Read, "/models", Inference),
    row(Any, "/models", Control),
    row(Read, "/models/sse", Inference),
    row(Any, "/models/sse", Control),
    row(Any, "/models/load", Control),
    row(Any, "/models/unload", Control),
    // Lists adapters; a POST sets their scales for everybody.
    row(Read, "/lora-adapters", Inference),
    row(Any, "/lora-adapters", Control),
    // Shows what other clients' requests set, and with LLAMA_SERVER_SLOTS_DEBUG, or in older releases,
    // their prompts and answers (server-context.cpp, `server_slot::to_json`).
    row(Any, "/slots", Control),
    // Saves, restores and erases contexts.
    row(Any, "/slots/:id", Control),
    // Runs programs, and asks any address on behalf of the client.
    row(Any, "/tools", Control),
    row(Any, "/cors-proxy", Control),
    // With AIP_MODE=PREDICTION: calls any other route by the name in its body.
    row(Any, "/predict", Control),
    streams("/v1/stream", StreamRoute::Resume),
    streams("/v1/streams/lookup", StreamRoute::Lookup),
];

/// The segment of a pattern that stands for a number.
const ID: &str = "/:id";

/// Beginnings that rows leave out, of the routes that a child has without `--api-prefix`.
const PARENTS: [&str; 7] = [
    "",
    "/v1",
    "/chat/completions",
    "/v1/chat/completions",
    "/responses",
    "/v1/responses",
    "/v1/messages",
];

/// Returns whether llama-server may have a route of this path. A path counts as it is: nothing may stand before it.
pub fn is_route(path: &[u8]) -> bool {
    let path = decoded(path);
    ROUTES.iter().any(|row| {
        let parents = PARENTS.iter();
        let mut behind = parents.filter_map(|parent| path.strip_prefix(parent.as_bytes()));
        behind.any(|rest| match row.path.strip_suffix(ID) {
            None => rest == row.path.as_bytes(),
            Some(above) => rest
                .strip_prefix(above.as_bytes())
                .is_some_and(|id| id.first() == Some(&b'/') && !id[1..].contains(&b'/')),
        })
    })
}

impl UpstreamRoute {
    /// The route of a method and a path, with or without what comes before it. One that llama-server does
    /// not have is for inference.
    pub fn of(method: &[u8], path: &[u8]) -> Self {
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
        let path = decoded(path);
        let mut rows = ROUTES.iter();
        let found = rows.find(|row| (reads || row.methods == Any) && matches(&path, row.path));
        found.map_or(unknown, |row| Self {
            scope: row.scope,
            stream: match row.stream {
                StreamRoute::MayOpen if reads => StreamRoute::Unrelated,
                stream => stream,
            },
        })
    }
}

fn matches(path: &[u8], pattern: &str) -> bool {
    match pattern.strip_suffix(ID) {
        None => path.ends_with(pattern.as_bytes()),
        Some(parent) => is_id_below(path, parent.as_bytes()),
    }
}

/// Returns whether a path is `parent` and a segment that may be a number. The child takes the segment up to a slash at
/// the end of the path, decodes it once more and reads it with `std::stoi`, which skips white space and a sign
/// and ignores what follows the digits. What begins with a letter is none, and may be a route below a prefix.
fn is_id_below(path: &[u8], parent: &[u8]) -> bool {
    let path = path.strip_suffix(b"/").unwrap_or(path);
    let slash = last_slash(path).unwrap_or_default();
    let (above, id) = path.split_at_checked(slash).unwrap_or((path, &[]));
    // Of an empty id nothing is left but the route itself.
    path.ends_with(parent)
        || above.ends_with(parent) && !id.get(1).is_some_and(u8::is_ascii_alphabetic)
}

fn last_slash(path: &[u8]) -> Option<usize> {
    path.iter().rposition(|byte| *byte == b'/')
}

/// A path as the child sees it (`decode_path_component`).
fn decoded(path: &[u8]) -> Cow<'_, [u8]> {
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
        match digits.and_then(hexadecimal) {
            Some(code) if long => {
                // Half of a surrogate pair is nothing.
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

fn hexadecimal(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, digit| {
        Some(number << 4 | char::from(*digit).to_digit(16)?)
    })
}

#[cfg(test)]
mod tests {
    use super::StreamRoute::{Lookup, MayOpen, Resume, Unrelated};
    use super::*;

    fn scope(method: &str, path: &str) -> Scope {
        UpstreamRoute::of(method.as_bytes(), path.as_bytes()).scope
    }

    #[test]
    fn every_route_has_the_scope_of_its_row() {
        for row in ROUTES {
            let path = row.path.replace(ID, "/0");
            let method = match row.methods {
                Read => "GET",
                Any => "POST",
            };
            for prefix in ["", "/v1", "/api/v1.0", "/upstream/org/m"] {
                let path = format!("{prefix}{path}");
                assert_eq!(scope(method, &path), row.scope, "{method} {path}");
                let encoded: Vec<_> = path.bytes().map(|byte| format!("%{byte:02x}")).collect();
                let encoded = encoded.concat();
                assert_eq!(scope(method, &encoded), row.scope, "{method} {path}");
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
        let stream =
            |method: &str, path: &str| UpstreamRoute::of(method.as_bytes(), path.as_bytes()).stream;
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
            let path = later.path.replace(ID, "/0");
            let hides = |earlier: &&Row| {
                let all = earlier.methods == Any || later.methods == Read;
                all && matches(path.as_bytes(), earlier.path)
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
