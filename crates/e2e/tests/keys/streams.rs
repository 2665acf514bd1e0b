use crate::support::{bearer, stream, two, with_key};
use paddock_e2e::harness::{HttpResponse, get, post};
use serde_json::json;

/// A request for a stream that goes on without its client.
fn of_conversation(id: &str, secret: &str) -> String {
    let field = format!("\r\nX-Conversation-Id: {id}\r\n\r\n");
    bearer(&stream().replacen("\r\n\r\n", &field, 1), secret)
}

/// Returns whether the answer is the child's, not paddock's.
fn is_the_childs(answer: &HttpResponse) -> bool {
    answer.field("x-paddock-error").is_none()
}

#[test]
fn a_stream_is_for_the_key_that_opened_it() {
    let (builder, alice) = with_key(two(), "alice", &[]);
    let (builder, bob) = with_key(builder, "bob", &[]);
    let builder = builder.config("models.m.parallel = 4");
    let paddock = builder.hold_streams().start();
    let mut open = paddock.connect();
    open.send(of_conversation("c1::m", &alice));
    assert_eq!(open.head().status, 200);
    let ask = |request: &str, secret: &str| paddock.ask(bearer(request, secret));
    let unknown = |request: &str, secret: &str| {
        let answer = ask(request, secret);
        let told = (answer.status, answer.error_code());
        assert_eq!(told, (404, "unknown_stream".into()), "{request}");
    };
    let delete =
        |id: &str| get(&format!("/upstream/m/v1/stream?conv_id={id}")).replacen("GET", "DELETE", 1);
    let lookup = |ids: &[&str]| {
        let body = json!({ "conversation_ids": ids, "model": "m" }).to_string();
        post("/v1/streams/lookup", &body)
    };
    // Another's is as one that there never was.
    for id in ["c1::m", "c1%3A%3am", "never"] {
        unknown(&get(&format!("/upstream/m/v1/stream?conv_id={id}")), &bob);
        unknown(
            &get(&format!("/upstream/m/v1/s%74ream?from=0&%63onv_id={id}")),
            &bob,
        );
        unknown(&delete(id), &bob);
    }
    unknown(&delete("mine&conv_id=c1::m"), &bob);
    unknown(&lookup(&["mine", "c1"]), &bob);
    unknown(&lookup(&["c1::m"]), &bob);
    // Nobody ends it by opening another one in its place.
    let taken = paddock.ask(of_conversation("c1::m", &bob));
    assert_eq!(
        (taken.status, taken.error_code()),
        (409, "conversation_taken".into())
    );
    // What could be read in two ways is refused.
    let form =
        post("/upstream/m/v1/stream?conv_id=mine", "conv_id=c1::m").replacen("POST", "DELETE", 1);
    assert_eq!(ask(&form, &bob).status, 400);
    let twice = of_conversation("mine", &bob).replacen(
        "\r\n\r\n",
        "\r\nx-conversation-id: c1::m\r\n\r\n",
        1,
    );
    assert_eq!(paddock.ask(twice).status, 400);
    let form = lookup(&["mine"]).replacen("application/json", "multipart/form-data; boundary=x", 1);
    assert_eq!(ask(&form, &bob).status, 400);

    // Its own key's requests are the child's to answer.
    for id in ["c1::m", "c1%3A%3Am"] {
        assert!(is_the_childs(&ask(
            &get(&format!("/upstream/m/v1/stream?conv_id={id}")),
            &alice
        )));
    }
    assert!(is_the_childs(&ask(&delete("c1::m"), &alice)));
    assert!(is_the_childs(&ask(
        &lookup(&["c1", "c1::m", "never"]),
        &alice
    )));
    assert!(is_the_childs(&ask(&lookup(&["never"]), &bob)), "nobody's");
    // So is another model's conversation of the same id, after its client has left too.
    drop(open);
    paddock.release_streams();
    let other = of_conversation("c1::m", &bob).replacen("\"m\"}", "\"n\"}", 1);
    assert_eq!(paddock.ask(other).status, 200);
    unknown(&delete("c1::m"), &bob);
    assert!(is_the_childs(&ask(&delete("c1::m"), &alice)));
}
