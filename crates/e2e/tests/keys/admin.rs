use crate::support::{bearer, chat, two, with_key, x_api_key};
use paddock_e2e::harness::{Connection, Paddock, get, post};
use std::process::Command;

/// Runs a command to its end: its exit code, standard output and standard error.
fn run(paddock: &Paddock, args: &[&str], key: Option<&str>) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_paddock-e2e"));
    command
        .args(args)
        .env("PADDOCK_ADMIN", paddock.admin().to_string())
        .env_remove("PADDOCK_KEY");
    if let Some(key) = key {
        command.env("PADDOCK_KEY", key);
    }
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    (code, text(output.stdout), text(output.stderr))
}

#[test]
fn operators_show_a_key_where_there_is_one_for_them() {
    let (builder, ops) = with_key(two(), "ops", &["allow = ['admin']"]);
    let (builder, scraper) = with_key(builder, "scraper", &["allow = ['metrics']"]);
    let (builder, client) = with_key(builder, "client", &[]);
    let paddock = builder.start();
    let ask = |request: String| Connection::connect(paddock.admin()).ask(request);
    for path in [
        "/",
        "/dashboard/app.js",
        "/api/status",
        "/api/events",
        "/metrics",
        "/none",
    ] {
        let refused = ask(get(path));
        assert_eq!(
            (refused.status, refused.error_code()),
            (401, "unauthorized".into())
        );
        let ways: Vec<_> = refused.head.all("www-authenticate").collect();
        assert_eq!(
            ways,
            ["Bearer", "Basic realm=\"paddock\", charset=\"UTF-8\""]
        );
        assert!(refused.field("server").unwrap().starts_with("paddock/"));
        assert_eq!(ask(bearer(&get(path), &client)).status, 403, "{path}");
    }
    for path in ["/livez", "/readyz"] {
        let open = ask(get(path));
        assert_eq!(
            (open.status, open.text().as_str()),
            (200, r#"{"status":"ok"}"#)
        );
    }
    assert_eq!(ask(bearer(&get("/metrics"), &scraper)).status, 200);
    assert_eq!(ask(bearer(&get("/api/status"), &scraper)).status, 403);
    for path in ["/", "/api/status", "/metrics"] {
        assert_eq!(ask(x_api_key(&get(path), &ops)).status, 200, "{path}");
    }
    for what in ["pin", "unpin"] {
        let order = post(&format!("/api/models/m/{what}"), "");
        assert_eq!(ask(order.clone()).status, 401);
        assert_eq!(ask(bearer(&order, &client)).status, 403);
        assert_eq!(ask(bearer(&order, &ops)).status, 200);
    }
    let basic = data_encoding::BASE64.encode(format!("me:{ops}").as_bytes());
    let basic = format!("\r\nAuthorization: Basic {basic}\r\n\r\n");
    let page = ask(get("/").replace("\r\n\r\n", &basic));
    assert_eq!(page.status, 200);
    // No page of another site uses what the browser remembers.
    let evil = post("/api/reload", "").replace(
        "\r\n\r\n",
        &format!("\r\nOrigin: https://evil.example{basic}"),
    );
    assert_eq!(ask(evil).status, 403);
    assert_eq!(
        paddock.ask(bearer(&chat("m"), &ops)).status,
        403,
        "it is not for models"
    );
    let body = r#"{"messages":[],"model":"m"}"#;
    let chat = ask(bearer(&post("/api/chat", body), &ops));
    assert_eq!(chat.status, 200, "{}", chat.text());
}

#[test]
fn commands_show_the_key_of_their_environment() {
    let (builder, ops) = with_key(two(), "ops", &["allow = ['admin']"]);
    let (builder, client) = with_key(builder, "client", &[]);
    let paddock = builder.start();
    let at = paddock.admin().to_string();
    let (code, out, error) = run(&paddock, &["status"], None);
    assert_eq!((code, out.as_str()), (1, ""));
    let words = format!(
        "error: paddock at {at} requires an API key\n  = help: set PADDOCK_KEY to the secret of a key that \
         allows `admin`; the operator can create one with `paddock key new NAME --allow admin --write`\n"
    );
    assert_eq!(error, words);
    let (_, _, error) = run(&paddock, &["status"], Some("nonsense"));
    let words = format!("error: paddock at {at} rejected the key in PADDOCK_KEY\n");
    assert!(error.starts_with(&words), "{error}");
    let (code, _, error) = run(&paddock, &["status"], Some(&client));
    let words = "error: the API key 'client' does not allow this request: it needs `admin`, and the key allows `inference`";
    assert!(code == 1 && error.starts_with(words), "{error}");
    let (code, out, error) = run(&paddock, &["status"], Some(&ops));
    assert_eq!((code, error.as_str()), (0, ""));
    assert_eq!(out.lines().count(), 2, "{out}");
}

#[test]
fn keys_of_clients_alone_leave_the_operators_plane_as_it_is() {
    let (builder, _) = with_key(two(), "client", &[]);
    let paddock = builder.start();
    for path in ["/", "/api/status", "/metrics"] {
        assert_eq!(paddock.admin_get(path).status, 200, "{path}");
    }
    let ready = paddock.admin_get("/readyz").json();
    assert_eq!(ready["models"].as_array().map(Vec::len), Some(2));
}
