use crate::support::{bearer, chat, two, with_key};
use paddock_e2e::harness::{get, post};

#[test]
fn what_changes_a_models_server_needs_a_key_for_that() {
    let (builder, client) = with_key(two(), "client", &[]);
    let (builder, ops) = with_key(builder, "ops", &["allow = ['admin']"]);
    let (builder, control) = with_key(builder, "control", &["allow = ['control']"]);
    let (builder, scraper) = with_key(builder, "scraper", &["allow = ['metrics']"]);
    let builder = builder.config("models.m.args = ['--metrics']");
    let paddock = builder.start();
    let ask = |request: &str, secret: &str| paddock.ask(bearer(request, secret));
    let reached = |request: &str, secret: &str| {
        let answer = ask(request, secret);
        answer.field("x-paddock-error").is_none()
    };
    let forbidden = |request: &str, secret: &str, scope: &str| {
        let answer = ask(request, secret);
        assert_eq!(answer.status, 403, "{request}");
        let words = format!("it needs `{scope}`");
        assert!(answer.text().contains(&words), "{}", answer.text());
    };
    for path in [
        "/upstream/m/api/props",
        "/upstream/m/%70rops",
        "/upstream/m/api%2Fprops",
        "/api/%u0070rops?model=m",
        "/api/props?model=m",
        "/api/lora-adapters?model=m",
        "/api/slots/0?action=erase&model=m",
        "/api/tools?model=m",
        "/api/models/unload?model=m",
    ] {
        let asked = post(path, "{}");
        for secret in [&client, &ops, &scraper] {
            forbidden(&asked, secret, "control");
        }
        assert!(reached(&asked, &control), "{path}");
    }
    for path in [
        "/upstream/m/slots",
        "/api/tools?model=m",
        "/api/cors-proxy?model=m",
    ] {
        forbidden(&get(path), &client, "control");
        assert!(reached(&get(path), &control), "{path}");
    }
    let metrics = get("/upstream/m/metrics");
    for secret in [&client, &ops, &control] {
        forbidden(&metrics, secret, "metrics");
    }
    let answer = ask(&metrics, &scraper);
    assert!(
        answer.status == 200 && answer.text().contains("llamacpp:"),
        "{}",
        answer.text()
    );
    // What only reads settings, and what asks a model, is as before.
    assert_eq!(ask(&get("/upstream/m/props"), &client).status, 200);
    assert_eq!(ask(&chat("n"), &client).status, 200);
    forbidden(&chat("n"), &control, "inference");
    forbidden(&chat("n"), &scraper, "inference");
}

#[test]
fn what_is_counted_of_all_models_needs_a_key_for_that() {
    let (builder, client) = with_key(two(), "client", &[]);
    let (builder, scraper) = with_key(builder, "scraper", &["allow = ['metrics']"]);
    let lines = ["allow = ['metrics']", "models = ['n']"];
    let (builder, tenant) = with_key(builder, "tenant", &lines);
    let paddock = builder.start();
    assert_eq!(paddock.get("/metrics").status, 401);
    let page = |secret: &str| paddock.ask(bearer(&get("/metrics"), secret));
    assert_eq!(page(&client).status, 403);
    for name in ["m", "n"] {
        assert_eq!(paddock.ask(bearer(&chat(name), &client)).status, 200);
    }
    let sees = |secret: &str, name: &str| {
        let page = page(secret);
        assert_eq!(page.status, 200);
        let text = page.text();
        let label = format!("model=\"{name}\"");
        ["paddock_requests_total{", "llamacpp:requests_processing{"].map(|family| {
            let mut lines = text.lines();
            lines.any(|line| line.starts_with(family) && line.contains(&label))
        })
    };
    assert_eq!(
        (sees(&scraper, "m"), sees(&scraper, "n")),
        ([true; 2], [true; 2])
    );
    assert_eq!(
        (sees(&tenant, "m"), sees(&tenant, "n")),
        ([false; 2], [true; 2])
    );
}
