use crate::support::{bearer, chat, stream, two, with_key};
use paddock_e2e::harness::{Connection, LIMIT, get, post, wait_until};
use serde_json::json;
use std::fs;

#[test]
fn keys_come_change_and_go_without_touching_models_or_requests() {
    let builder = two().config("models.m.preload = true").hold_streams();
    let without = builder.config_text();
    let (builder, alice) = with_key(builder, "alice", &[]);
    let only_alice = builder.config_text();
    let (builder, bob) = with_key(builder, "bob", &[]);
    let both = builder.config_text();
    fs::write(builder.directory().join("other.toml"), "").unwrap();
    let paddock = builder.start();
    let file = paddock.directory().join("paddock.toml");
    let reload = |text: &str| {
        fs::write(&file, text).unwrap();
        let answer = Connection::connect(paddock.admin()).ask(post("/api/reload", ""));
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["keys"].clone()
    };
    paddock.wait_ready();
    let pid = paddock.model()["pid"].clone();
    let status = |secret: &str| paddock.ask(bearer(&get("/v1/models"), secret)).status;
    assert_eq!((status(&alice), status(&bob)), (200, 200));

    let mut held = paddock.connect();
    held.send(bearer(&stream(), &bob));
    assert_eq!(held.head().status, 200);
    let nothing: [&str; 0] = [];
    assert_eq!(
        reload(&only_alice),
        json!({ "added": nothing, "changed": nothing, "removed": ["bob"] })
    );
    wait_until(LIMIT, "bob's key to be refused", || status(&bob) == 401);
    assert_eq!(status(&alice), 200);
    // What is in flight with a key that is gone ends as it would have.
    paddock.release_streams();
    let (events, whole) = held.events();
    let last = events.last().map(paddock_e2e::harness::Event::data);
    assert!(whole && last.as_deref() == Some("[DONE]"), "{events:?}");

    let narrowed = only_alice.replace(
        "auth.keys.alice.hash",
        "auth.keys.alice.models = ['n']\nauth.keys.alice.hash",
    );
    assert_eq!(reload(&narrowed)["changed"], json!(["alice"]));
    wait_until(LIMIT, "alice's key to be for less", || {
        paddock.ask(bearer(&chat("m"), &alice)).status == 403
    });
    assert_eq!(reload(&both)["added"], json!(["bob"]));
    wait_until(LIMIT, "bob's key to be good again", || status(&bob) == 200);
    reload(&without);
    wait_until(LIMIT, "no key to be wanted", || {
        paddock.get("/v1/models").status == 200
    });
    assert_eq!(paddock.model()["pid"], pid, "the model was not touched");
}

#[test]
fn what_is_in_flight_is_listed_with_the_name_of_its_key() {
    let builder = two().config("models.m.parallel = 4").hold_streams();
    let without = builder.config_text();
    let (builder, secret) = with_key(builder, "alice", &[]);
    let paddock = builder.start();
    let keys = || {
        let listed = paddock.admin_get("/api/requests?in_flight=true").json();
        let listed = listed["requests"].as_array().cloned().unwrap_or_default();
        let keys = listed.iter().map(|request| request["key"].clone());
        keys.collect::<Vec<_>>()
    };
    let mut first = paddock.connect();
    first.send(bearer(&stream(), &secret));
    assert_eq!(first.head().status, 200);
    assert_eq!(keys(), ["alice"]);

    // A connection is not taken for that of the key it showed before.
    let mut second = paddock.connect();
    let models = bearer(&get("/v1/models"), &secret);
    assert_eq!(second.ask(models).status, 200);
    fs::write(paddock.directory().join("paddock.toml"), without).unwrap();
    let answer = Connection::connect(paddock.admin()).ask(post("/api/reload", ""));
    assert_eq!(answer.status, 200, "{}", answer.text());
    wait_until(LIMIT, "no key to be wanted", || {
        second.ask(get("/v1/models")).status == 200
    });
    second.send(stream());
    assert_eq!(second.head().status, 200);
    assert_eq!(keys(), [json!("alice"), json!(null)]);
    paddock.release_streams();
    assert!(first.events().1 && second.events().1);
}

#[test]
fn an_address_that_is_open_because_of_its_keys_keeps_one() {
    let builder = two().listen(["0.0.0.0:0"]);
    let shut = builder.config_text().replace("0.0.0.0", "127.0.0.1");
    let (builder, secret) = with_key(builder, "alice", &[]);
    let paddock = builder.start();
    fs::write(paddock.directory().join("paddock.toml"), shut).unwrap();
    let refused = Connection::connect(paddock.admin()).ask(post("/api/reload", ""));
    assert_eq!(refused.status, 422, "{}", refused.text());
    let words = "on all network interfaces of this machine, and the new configuration requires no API key there";
    assert!(refused.text().contains(words), "{}", refused.text());
    let status = |request: String| paddock.ask(request).status;
    assert_eq!(status(get("/v1/models")), 401);
    assert_eq!(status(bearer(&get("/v1/models"), &secret)), 200);
}

#[test]
fn a_key_is_made_used_and_revoked_by_command_while_paddock_runs() {
    let (builder, alice) = with_key(two(), "alice", &[]);
    let paddock = builder.start();
    let run = |args: &str| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_paddock-e2e"))
            .args(args.split(' '))
            .current_dir(paddock.directory())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    // Beside keys that are written in another way there is no place for a section.
    let file = paddock.directory().join("paddock.toml");
    let text = fs::read_to_string(&file).unwrap();
    let kept: Vec<_> = text
        .lines()
        .filter(|line| !line.starts_with("auth."))
        .collect();
    let hash = text
        .lines()
        .find_map(|line| line.strip_prefix("auth.keys.alice.hash = "));
    let section = format!(
        "{}\n\n[auth.keys.alice]\nhash = {}\n",
        kept.join("\n"),
        hash.unwrap()
    );
    fs::write(&file, section).unwrap();
    let status = |secret: &str| paddock.ask(bearer(&get("/v1/models"), secret)).status;
    let carol = run("key new carol --write");
    wait_until(LIMIT, "the new key to be good", || status(&carol) == 200);
    run("key revoke alice");
    wait_until(LIMIT, "the old key to be refused", || status(&alice) == 401);
    assert_eq!(status(&carol), 200);
}
