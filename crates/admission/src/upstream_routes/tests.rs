//! Tests of the scopes of routes.

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
fn slot_actions_are_recognised_in_every_spelling_that_the_child_accepts() {
    for path in [
        "/slots/0",
        "/slots/12/",
        "/slots/",
        "/slots//",
        "/slots/-1",
        "/slots/+0",
        "/slots/0x",
        "/slots/%30",
        "/slots/%2530",
        "/slots/%200",
        "/slots/0%00/",
        "/%73%6c%6F%74%73/0",
        "/%u0073lots/0",
        "/slots%2F0",
        "/slots%u002f0%2f",
        "/api/slots/0",
        "/v1/slots/0",
        "//slots/0",
        "/a/../slots/0",
        "/v1/models/s%6cots/0",
    ] {
        assert!(is_slot_action(b"POST", path.as_bytes()), "{path}");
        for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "post"] {
            assert!(
                !is_slot_action(method.as_bytes(), path.as_bytes()),
                "{method} {path}"
            );
        }
    }
    for path in [
        "/slots",
        "/slots/0/1",
        "/slots/0//",
        "/slots///",
        "/slots/completion",
        "/slots/%63ompletion",
        "/slots/completion/",
        "/slotss/0",
        "/xslots/0",
        "/SLOTS/0",
        "/slots%253F/0",
        "/slots%00/0",
        "/slots%252F0",
        "/v1/chat/completions",
        "/",
        "",
        "*",
    ] {
        assert!(!is_slot_action(b"POST", path.as_bytes()), "{path}");
    }
}

#[test]
fn streams_that_can_be_resumed_are_found() {
    let stream =
        |method: &str, path: &str| UpstreamRoute::find(method.as_bytes(), path.as_bytes()).stream;
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
