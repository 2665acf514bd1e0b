use crate::support::{ready, small};
use paddock_e2e::harness::{PaddockBuilder, get, post};

/// Makes a key. Returns its secret too.
fn with_key(builder: PaddockBuilder, name: &str, lines: &str) -> (PaddockBuilder, String) {
    let made = builder.run(["key", "new", name, "--json"]);
    let made: serde_json::Value = serde_json::from_str(&made.stdout).expect("a key");
    let text = |part: &str| made[part].as_str().expect("a text").to_owned();
    let section = format!("auth.keys.{name}.hash = '{}'\n{lines}", text("hash"));
    (builder.config(&section), text("secret"))
}

fn shown(request: &str, secret: &str) -> String {
    let field = format!("\r\nAuthorization: Bearer {secret}\r\n\r\n");
    request.replacen("\r\n\r\n", &field, 1)
}

/// Paths that the engine takes for one of its routes need the route's scope.
#[test]
fn a_path_means_to_a_key_what_it_means_to_the_engine() {
    // With contexts, paddock itself answers slot actions.
    let builder = small().config("defaults.context_cache = false");
    let (builder, client) = with_key(builder, "client", "");
    let (builder, control) = with_key(
        builder,
        "control",
        "auth.keys.control.allow = ['control']\n",
    );
    let paddock = ready(builder);
    let ask = |path: &str, secret: &str| paddock.ask(shown(&post(path, "{}"), secret));
    for path in [
        "/props",
        "/%70rops",
        "/%u0070rops",
        "/slots/0?action=erase",
        "/slots/%2530?action=erase",
        "/slots/0/?action=erase",
        "/slots/-1?action=erase",
        "/lora-adapters",
        "/tools",
    ] {
        assert_eq!(ask(path, &client).error_code(), "forbidden", "{path}");
        let reached = ask(path, &control);
        assert!(reached.field("x-paddock-error").is_none(), "{path}");
        assert_ne!(reached.status, 404, "{path}");
    }
    for path in [
        "/PROPS",
        "/props/",
        "/props%00",
        "/props%3Fx",
        "/%7rops",
        "/%u00",
        "/tools/",
    ] {
        assert_eq!(
            ask(path, &client).status,
            404,
            "{path}: the engine has no such route"
        );
    }
}

#[test]
fn a_stream_that_goes_on_is_for_the_key_that_opened_it() {
    let (builder, alice) = with_key(small(), "alice", "");
    let (builder, bob) = with_key(builder, "bob", "");
    let paddock = ready(builder);
    let body =
        r#"{"prompt":"Once upon a time","n_predict":100000,"ignore_eos":true,"stream":true}"#;
    let open =
        post("/completion", body).replacen("\r\n\r\n", "\r\nX-Conversation-Id: c\r\n\r\n", 1);
    let mut client = paddock.connect();
    client.send(shown(&open, &alice));
    assert_eq!(client.head().status, 200);
    client.event().expect("an event");
    drop(client);
    let stream = get("/v1/stream?conv_id=c");
    let stop = stream.replacen("GET", "DELETE", 1);
    let lookup = post("/v1/streams/lookup", r#"{"conversation_ids":["c"]}"#);
    for request in [&stream, &stop, &lookup] {
        let answer = paddock.ask(shown(request, &bob));
        assert_eq!(
            (answer.status, answer.error_code()),
            (404, "unknown_stream".into())
        );
    }
    assert_eq!(paddock.ask(shown(&open, &bob)).status, 409);
    let found = paddock.ask(shown(&lookup, &alice)).json();
    assert_eq!(found[0]["conversation_id"], "c", "it goes on: {found}");
    assert_eq!(paddock.ask(shown(&stop, &alice)).status, 204);
    let found = paddock.ask(shown(&lookup, &alice)).json();
    assert_eq!(found, serde_json::json!([]), "its own key has stopped it");
}
