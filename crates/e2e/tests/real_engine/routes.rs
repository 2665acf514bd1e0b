use crate::support::{direct, ok, ready, small};
use paddock_e2e::harness::{LIMIT, get, post, wait_for};

#[test]
fn answers_of_every_route_are_the_engines_own() {
    let paddock = ready(small().engine_args(["--embeddings", "--pooling", "mean"]));
    let embed = r#"{"input":["one","two"],"model":"m"}"#;
    for (request, status) in [
        (
            post(
                "/tokenize",
                r#"{"content":"Hello, world","with_pieces":true}"#,
            ),
            200,
        ),
        (post("/detokenize", r#"{"tokens":[9259,236764,1902]}"#), 200),
        (
            post(
                "/apply-template",
                r#"{"messages":[{"role":"user","content":"a"}]}"#,
            ),
            200,
        ),
        (post("/v1/embeddings", embed), 200),
        (post("/embedding", r#"{"content":"one"}"#), 200),
        (get("/props"), 200),
        (get("/slots"), 200),
        (get("/nothing/here"), 404),
        (post("/v1/chat/completions", "{"), 400),
        (post("/v1/chat/completions", "{}"), 400),
    ] {
        let line = request.lines().next().expect("a request").to_owned();
        let itself = direct(&paddock).ask(&request);
        let through = paddock.ask(&request);
        assert_eq!(itself.status, status, "{line}: {itself:?}");
        assert_eq!(through.status, status, "{line}: {through:?}");
        assert_eq!(through.text(), itself.text(), "{line}");
        assert_eq!(
            through.field("content-type"),
            itself.field("content-type"),
            "{line}"
        );
        assert_eq!(through.field("server"), Some("llama.cpp"), "{line}");
    }

    let props = paddock.get("/props").json();
    assert_eq!(props["total_slots"], 1);
    let embeddings = ok(paddock.post("/v1/embeddings", embed)).json();
    let vectors = embeddings["data"].as_array().expect("embeddings");
    assert_eq!(vectors.len(), 2);
    assert!(vectors[0]["embedding"].as_array().expect("a vector").len() > 100);
    assert_ne!(vectors[0]["embedding"], vectors[1]["embedding"]);
    let tokens = ok(paddock.post("/tokenize", r#"{"content":"Hello, world"}"#)).json();
    let back = ok(paddock.post("/detokenize", &tokens.to_string())).json();
    assert_eq!(back["content"], "Hello, world");
}

#[test]
fn the_engines_own_health_and_models_lie_behind_the_models_name() {
    let paddock = ready(small());
    for route in ["/health", "/v1/models", "/props?a=b"] {
        let itself = direct(&paddock).ask(get(route));
        let through = paddock.get(&format!("/upstream/m{route}"));
        assert_eq!(ok(through).text(), itself.text(), "{route}");
    }
    assert_eq!(paddock.get("/upstream/m/health").json()["status"], "ok");
    assert_eq!(ok(paddock.get("/health")).json()["status"], "ok");
    assert_eq!(ok(paddock.get("/v1/models")).json()["data"][0]["id"], "m");
    assert_eq!(paddock.get("/upstream/nobody/health").status, 404);
}

/// A model's sample on the page.
fn sample(page: &str, name: &str) -> Option<f64> {
    let begins = format!("llamacpp:{name}{{model=\"m\"}} ");
    let value = page.lines().find_map(|line| line.strip_prefix(&begins))?;
    value.parse().ok()
}

#[test]
fn what_the_engine_counts_is_told_with_paddocks_own() {
    let paddock = ready(small());
    let ask = r#"{"prompt":"a","n_predict":8,"ignore_eos":true,"stream":false}"#;
    ok(paddock.post("/completion", ask));
    // What it has counted of the answer it may say a moment later, and is asked seldom.
    let page = wait_for(LIMIT, "the engine's own count", || {
        let page = ok(paddock.admin_get("/metrics")).text();
        (sample(&page, "tokens_predicted_total")? >= 8.0).then_some(page)
    });
    assert_eq!(sample(&page, "requests_processing"), Some(0.0), "{page}");
    assert!(page.contains("\n# TYPE llamacpp:tokens_predicted_total counter\n"));
    assert!(page.contains("\n# TYPE llamacpp:requests_processing gauge\n"));
    // Clients find it at the route of the engine's own.
    let itself = ok(paddock.get("/upstream/m/metrics")).text();
    let own = itself.lines().filter(|line| line.starts_with("# TYPE "));
    assert!(own.clone().count() > 10);
    for line in own {
        assert_eq!(page.matches(line).count(), 1, "{line}");
    }
}
