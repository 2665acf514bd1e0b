use crate::support::{bearer, chat, two, with_key, x_api_key};
use paddock_e2e::harness::{LIMIT, get, post, wait_for};

#[test]
fn a_key_opens_the_door_and_stays_there() {
    let (builder, secret) = with_key(two(), "alice", &[]);
    let paddock = builder.start();
    for path in ["/v1/chat/completions", "/v1/models", "/", "/props?model=m"] {
        let answer = paddock.get(path);
        assert_eq!(
            (answer.status, answer.error_code()),
            (401, "unauthorized".into()),
            "{path}"
        );
        assert_eq!(answer.field("www-authenticate"), Some("Bearer"));
    }
    let body = r#"{"model":"n","messages":[]}"#;
    for path in ["/__fake/echo", "/upstream/org/n/__fake/echo"] {
        let asked = post(path, body);
        for shown in [bearer(&asked, &secret), x_api_key(&asked, &secret)] {
            let answer = paddock.ask(&shown);
            assert_eq!(answer.status, 200, "{}", answer.text());
            let seen = answer.text();
            assert!(!seen.contains("pdk_") && seen.contains(body), "{seen}");
            let there = asked.replacen(path, "/__fake/echo", 1);
            let without_id: String = seen
                .split_inclusive("\r\n")
                .filter(|line| !line.starts_with("x-request-id: "))
                .collect();
            assert_eq!(without_id, there);
        }
    }
    let anthropic = paddock.ask(post("/v1/messages", body));
    assert_eq!(anthropic.status, 401);
    assert_eq!(anthropic.json()["error"]["type"], "authentication_error");
    let stderr = format!("{:?}", paddock.stderr());
    assert!(!stderr.contains("pdk_"), "{stderr}");
}

#[test]
fn a_key_sees_and_uses_the_models_it_is_for() {
    let (builder, alice) = with_key(two(), "alice", &["models = ['org/n']"]);
    let (builder, bob) = with_key(builder, "bob", &[]);
    let paddock = builder.start();
    let listed = |secret: &str| {
        let list = paddock.ask(bearer(&get("/v1/models"), secret)).json();
        let models = list["data"].as_array().cloned().unwrap_or_default();
        let ids = models.iter().filter_map(|model| model["id"].as_str());
        ids.collect::<Vec<_>>().join(" ")
    };
    assert_eq!((listed(&alice), listed(&bob)), ("n".into(), "m n".into()));
    let status = |request: String, secret: &str| paddock.ask(bearer(&request, secret)).status;
    assert_eq!(status(get("/v1/models/m"), &alice), 403);
    assert_eq!(status(get("/v1/models/org/n"), &alice), 200);
    assert_eq!(status(chat("m"), &bob), 200);
    assert_eq!(status(chat("n"), &alice), 200);
    for asked in [chat("m"), get("/upstream/m/props"), get("/props?model=m")] {
        let refused = paddock.ask(bearer(&asked, &alice));
        assert_eq!(refused.status, 403, "{asked}");
        let words = "the API key 'alice' does not allow the model 'm'; it allows: n";
        assert!(refused.text().contains(words), "{}", refused.text());
    }
    for asked in [chat("nobody"), get("/upstream/nobody/props"), get("/props")] {
        let unknown = paddock.ask(bearer(&asked, &alice)).text();
        assert!(
            unknown.ends_with("n\",\"param\":null,\"type\":\"invalid_request_error\"}}")
                || unknown.contains(": n\""),
            "{unknown}"
        );
    }
}

#[test]
fn refusals_without_a_key_displace_nobody_in_the_list() {
    let (builder, secret) = with_key(two(), "alice", &[]);
    let paddock = builder.start();
    let good = bearer(&chat("m"), &secret);
    assert_eq!(paddock.ask(&good).status, 200);
    // On one connection, so in one worker, and at once.
    let mut client = paddock.connect();
    client.send(get("/v1/models").repeat(400) + &good);
    for _ in 0..400 {
        assert_eq!(client.answer().status, 401);
    }
    assert_eq!(client.answer().status, 200);
    let rows = wait_for(LIMIT, "both good requests to be listed", || {
        let listed = paddock.admin_get("/api/requests?limit=1000").json();
        let rows = listed["requests"].as_array().cloned().unwrap_or_default();
        let good = rows.iter().filter(|row| row["key"] == "alice").count();
        (good == 2).then_some(rows)
    });
    assert!(rows.len() < 402, "{} rows", rows.len());
}

#[test]
fn a_key_that_has_expired_says_so_on_both_addresses() {
    let lines = ["expires = 2020-01-01", "allow = ['inference', 'admin']"];
    let (builder, old) = with_key(two(), "old", &lines);
    let (builder, good) = with_key(builder, "good", &["expires = '9999-12-31T12:00:00+01:00'"]);
    let paddock = builder.start();
    let words = "the API key 'old' expired at 2020-01-01T00:00:00Z";
    let answer = paddock.ask(bearer(&chat("m"), &old));
    assert_eq!(
        (answer.status, answer.error_code()),
        (401, "unauthorized".into())
    );
    assert!(answer.text().contains(words), "{}", answer.text());
    assert_eq!(paddock.ask(bearer(&chat("m"), &good)).status, 200);
    let admin = bearer(&get("/api/status"), &old);
    let answer = paddock_e2e::harness::Connection::connect(paddock.admin()).ask(admin);
    assert_eq!(answer.status, 401);
    assert!(answer.text().contains(words), "{}", answer.text());
}
