//! From the start of the process until the model is loaded.

use std::time::Duration;

use super::support::{Fake, WATCH_TIME, get, post, timed, wait_until};

#[test]
fn every_path_answers_503_until_the_model_is_loaded() {
    let mut fake = Fake::start(&["--fake-load-ms", "2000"]);
    for request in [
        get("/health"),
        get("/nope"),
        post("/v1/chat/completions", "{}"),
    ] {
        let mut connection = fake.connect();
        connection.send(request);
        assert_eq!(
            connection.rest(),
            "HTTP/1.1 503 Service Unavailable\r\nServer: llama.cpp\r\n\
             Access-Control-Allow-Origin: \r\nContent-Type: application/json; charset=utf-8\r\n\
             Content-Length: 75\r\nConnection: close\r\n\r\n\
             {\"error\":{\"message\":\"Loading model\",\"type\":\"unavailable_error\",\"code\":503}}"
        );
    }
    fake.stderr.wait_for("srv  llama_server: model loaded");
    fake.stderr
        .wait_for("srv  llama_server: listening on unix:///");
    assert_eq!(fake.get("/health").status(), 200);
}

#[test]
fn health_turns_ok_by_itself() {
    let fake = Fake::start(&["--fake-load-ms", "100"]);
    wait_until("health", || {
        (fake.get("/health").status() == 200).then_some(())
    });
}

#[test]
fn a_slow_listener_appears_later() {
    let fake = Fake::start(&["--fake-slow-accept-ms", "1000"]);
    let time = timed(|| drop(fake.connect()));
    assert!(time > WATCH_TIME, "{time:?}");
}

#[test]
fn a_flood_keeps_its_rate() {
    let mut fake = Fake::ready(&["--fake-log-flood", "1000000"]);
    let start = fake.stderr.count_so_far();
    let time = timed(|| {
        wait_until("half a megabyte", || {
            (fake.stderr.count_so_far() - start > 500_000).then_some(())
        });
    });
    assert!(time > Duration::from_millis(250), "{time:?}");
    assert_eq!(fake.get("/health").status(), 200);
}

#[test]
fn flags_of_the_real_server_pass() {
    let fake = Fake::ready(&[
        "-c",
        "2048",
        "-np",
        "2",
        "-ngl",
        "99",
        "-fit",
        "off",
        "--no-warmup",
        "--jinja",
        "-t",
        "2",
        "--alias",
        "name",
    ]);
    let slots = fake.get("/slots").json();
    assert_eq!(slots.as_array().unwrap().len(), 2);
    assert_eq!(slots[0]["n_ctx"], 1024);
    assert_eq!(fake.get("/v1/models").json()["data"][0]["id"], "name");
    assert_eq!(fake.get("/props").json()["total_slots"], 2);
}
