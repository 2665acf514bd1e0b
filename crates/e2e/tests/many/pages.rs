//! Web pages that use several models.

use crate::support::{chat, model, three};
use paddock_e2e::harness::{HttpResponse, Paddock, get};
use serde_json::Value;

const PAGE: &str = "https://notes.example";

/// A request as a page of this origin sends it.
fn of_page(request: &str, origin: &str) -> String {
    request.replacen("\r\n\r\n", &format!("\r\nOrigin: {origin}\r\n\r\n"), 1)
}

fn preflight(target: &str, origin: &str) -> String {
    let fields =
        "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization,x-a";
    let head = format!("OPTIONS {target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n\r\n");
    of_page(&head, origin)
}

/// Which pages may read an answer, each time that it says so.
fn readers(answer: &HttpResponse) -> Vec<String> {
    let values = answer.head.all("access-control-allow-origin");
    values.map(str::to_owned).collect()
}

fn nothing_is_loaded(paddock: &Paddock) {
    let status = paddock.status();
    let models = status["models"].as_array().cloned().unwrap_or_default();
    let statuses: Vec<&Value> = models.iter().map(|model| &model["status"]).collect();
    assert_eq!(statuses, ["unloaded"; 3]);
}

#[test]
fn a_page_that_is_listed_reads_every_answer_and_others_none() {
    let paddock = three()
        .config(&format!("server.allowed_origins = [{PAGE:?}]"))
        .start();
    for target in [
        "/v1/models",
        "/v1/chat/completions",
        "/upstream/a/props",
        "/upstream/none/x",
        "/x?model=a",
    ] {
        let answer = paddock.ask(preflight(target, PAGE));
        assert_eq!(
            (answer.status, readers(&answer)),
            (200, vec![PAGE.to_owned()]),
            "{target}"
        );
        for (name, value) in [
            ("access-control-allow-methods", "GET, POST, DELETE, OPTIONS"),
            ("access-control-allow-headers", "authorization,x-a"),
            ("access-control-allow-credentials", "true"),
            ("vary", "Origin, Access-Control-Request-Headers"),
        ] {
            assert_eq!(answer.field(name), Some(value), "{target}");
        }
    }
    for origin in ["https://evil.example", "null", "http://localhost:3000"] {
        for request in [
            preflight("/v1/chat/completions", origin),
            of_page(&get("/health"), origin),
            of_page(&chat("a"), origin),
        ] {
            let answer = paddock.ask(request);
            assert_eq!(
                (answer.status, answer.error_code()),
                (403, "forbidden_origin".into())
            );
            assert_eq!(readers(&answer), [""; 0]);
            assert!(
                answer.text().contains("`server.allowed_origins`"),
                "{}",
                answer.text()
            );
        }
    }
    nothing_is_loaded(&paddock);
    for (request, status) in [
        (get("/v1/models"), 200),
        (get("/health"), 200),
        (chat("none"), 404),
        (get("/v1/models/none"), 404),
        (chat("a"), 200),
        (
            "POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000000\r\n\r\n".to_owned(),
            413,
        ),
        (
            "GET /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n".to_owned(),
            400,
        ),
    ] {
        let answer = paddock.ask(of_page(&request, PAGE));
        assert_eq!(answer.status, status, "{request}{answer:?}");
        assert_eq!(readers(&answer), [PAGE], "{request}{answer:?}");
    }
    let answer = paddock.ask(get("/v1/models"));
    assert_eq!(readers(&answer), [""; 0], "without a page nothing is added");
    assert_eq!(answer.field("vary"), None);
}

#[test]
fn a_preflight_says_what_the_flags_of_its_model_say() {
    let flags = "models.a.args = ['--cors-methods', 'GET', '--cors-headers', 'x-a', '--no-cors-credentials']";
    let paddock = three().config(flags).start();
    let page = "http://localhost:3000";
    let said = |target: &str| {
        let answer = paddock.ask(preflight(target, page));
        ["origin", "methods", "headers", "credentials"].map(|name| {
            answer
                .field(&format!("access-control-allow-{name}"))
                .unwrap_or_default()
                .to_owned()
        })
    };
    assert_eq!(
        said("/upstream/a/v1/chat/completions"),
        ["*", "GET", "x-a", "false"]
    );
    let usual = [
        page,
        "GET, POST, DELETE, OPTIONS",
        "authorization,x-a",
        "true",
    ];
    assert_eq!(said("/upstream/b/v1/chat/completions"), usual);
    assert_eq!(said("/v1/chat/completions"), usual, "they do not agree");
    assert_eq!(model(&paddock, "a")["status"], "unloaded");
}

#[test]
fn a_name_that_points_here_is_nobodys_address() {
    let paddock = three().start();
    let rebound = get("/v1/models").replace("localhost", "evil.test");
    let refused = paddock.ask(&rebound);
    assert_eq!(
        (refused.status, refused.error_code()),
        (403, "forbidden_origin".into())
    );
    let image =
        get("/upstream/a/props").replacen("\r\n\r\n", "\r\nSec-Fetch-Site: cross-site\r\n\r\n", 1);
    assert_eq!(paddock.ask(image).status, 403);
    nothing_is_loaded(&paddock);
    let listed = three()
        .config("server.allowed_origins = ['https://evil.test']")
        .start();
    assert_eq!(listed.ask(rebound).status, 200);
}
