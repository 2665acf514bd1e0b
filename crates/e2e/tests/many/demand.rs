//! Which requests load a model and keep it loaded, and which do not.

use crate::support::{model, three, wait_status};
use paddock_e2e::harness::{HttpResponse, LIMIT, Paddock, get, post, wait_until};

fn kind(answer: &HttpResponse) -> (u16, Option<&str>) {
    (answer.status, answer.field("x-paddock-error"))
}

fn nothing_is_loaded(paddock: &Paddock, after: &str) {
    for name in ["m", "a", "b"] {
        assert_eq!(
            model(paddock, name)["status"],
            "unloaded",
            "{name}, after {after}"
        );
    }
}

/// A request as a browser sends it for a page.
fn open(path: &str) -> String {
    get(path).replace("\r\n\r\n", "\r\nAccept: text/html,*/*;q=0.8\r\n\r\n")
}

#[test]
fn what_is_fetched_unasked_loads_nothing() {
    let paddock = three().config("server.default_model = 'a'").start();
    let named = get("/slots").replace("\r\n\r\n", "\r\nx-paddock-model: b\r\n\r\n");
    for asked in [
        get("/favicon.ico"),
        get("/sw.js"),
        get("/"),
        open("/").replacen("GET", "HEAD", 1),
        get("/slots"),
        get("/slots?model=b"),
        named,
        get("/upstream/b/metrics"),
        get("/upstream/b/health"),
        open("/upstream/b/favicon.ico"),
    ] {
        let method = asked.split(' ').next().unwrap();
        let mut client = paddock.connect();
        client.send(&asked);
        let answer = client.answer_to(method);
        assert_eq!(kind(&answer), (503, Some("not_loaded")), "{asked}");
        assert_eq!(answer.field("retry-after"), None, "time does not help");
        nothing_is_loaded(&paddock, &asked);
    }
    let page = paddock.get("/metrics");
    assert_eq!(page.status, 200);
    let page = page.text();
    assert!(
        page.contains("\npaddock_model_ready{model=\"b\"} 0\n"),
        "{page}"
    );
    let refused = page.lines().filter(|line| line.contains("\"refused\""));
    assert_eq!(refused.count(), 0, "an idle model refuses nobody");
}

#[test]
fn ollamas_clients_are_told_of_another_api_before_anything_is_loaded() {
    let paddock = three().config("server.default_model = 'a'").start();
    let chat = r#"{"model":"a","messages":[{"role":"user","content":"hi"}]}"#;
    for asked in [
        get("/api/tags"),
        get("/api/version"),
        post("/api/chat", chat),
        post("/api/generate", chat),
    ] {
        let answer = paddock.ask(&asked);
        assert_eq!(kind(&answer), (404, Some("unknown_route")), "{asked}");
        assert!(answer.text().contains("/v1"), "{}", answer.text());
        nothing_is_loaded(&paddock, &asked);
    }
}

#[test]
fn a_page_that_somebody_opens_is_loaded_with_its_parts() {
    let paddock = three().config("server.default_model = 'a'").start();
    let page = paddock.ask(open("/"));
    assert_eq!(kind(&page), (404, None), "the stand-in has no page");
    assert_eq!(model(&paddock, "a")["status"], "ready");
    for path in ["/favicon.ico", "/sw.js", "/bundle.abc.js", "/index.html"] {
        let part = paddock.get(path);
        assert_eq!(kind(&part), (404, None), "{path} is the child's to answer");
    }
    assert_eq!(paddock.get("/slots").status, 200);
    assert_eq!(paddock.get("/upstream/a/health").json()["status"], "ok");
}

#[test]
fn who_watches_a_model_does_not_keep_it_loaded() {
    let paddock = three()
        .config("server.default_model = 'a'\nmodels.a.keep_alive = '1s'")
        .start();
    assert_eq!(paddock.ask(open("/")).status, 404);
    wait_status(&paddock, "a", "ready");
    let mut seen = 0;
    wait_until(LIMIT, "the watched model to be unloaded", || {
        let answer = paddock.get("/slots");
        seen += u32::from(answer.status == 200);
        answer.status == 503
    });
    assert!(seen > 0, "it was watched");
    let page = paddock.get("/metrics").text();
    let over = "paddock_evictions_total{model=\"a\",reason=\"keep_alive\"} 1\n";
    assert!(page.contains(over), "{page}");
}
