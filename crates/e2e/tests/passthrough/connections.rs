//! Paddock with few open files, and more clients than it has room for.

use paddock_e2e::harness::{
    Connection, LIMIT, Paddock, PaddockBuilder, Signal, get, post, wait_until,
};

const CLIENTS: usize = 400;

/// Room for seventy clients.
const FILES: u32 = 256;

const STREAM: &str = r#"{"stream":true,"messages":[{"role":"user","content":"hi"}]}"#;

fn few_files() -> PaddockBuilder {
    paddock_e2e::paddock!().open_files(FILES)
}

/// Hundreds of connections that send this and nothing more.
fn crowd(paddock: &Paddock, words: &str) -> Vec<Connection> {
    let mut crowd: Vec<_> = (0..CLIENTS).map(|_| paddock.connect()).collect();
    for client in &mut crowd {
        // Some have been refused already.
        let _ = client.try_send(words);
    }
    crowd
}

fn stream(paddock: &Paddock) -> Connection {
    let mut streaming = paddock.connect();
    streaming.send(post("/v1/chat/completions", STREAM));
    assert_eq!(streaming.head().status, 200);
    streaming
}

/// A client of the crowd's time gets an answer, as soon as there is room.
fn wait_served(paddock: &Paddock) {
    wait_until(LIMIT, "a client to be served", || {
        let answer = paddock.connect().try_ask(get("/props"));
        answer.is_ok_and(|answer| answer.status == 200)
    });
}

#[test]
fn hundreds_of_idle_clients_lock_nobody_out() {
    let paddock = few_files().hold_streams().start();
    paddock.wait_ready();
    let mut streaming = stream(&paddock);
    for words in ["", "GET /props HTTP/1.1\r\nHost"] {
        let crowd = crowd(&paddock, words);
        let connections = paddock.status()["connections"].clone();
        let number = |name: &str| connections[name].as_u64().expect("a number");
        assert!(number("limit") < u64::from(FILES) / 2, "{connections}");
        assert!(number("open") <= number("limit"), "{connections}");
        wait_served(&paddock);
        drop(crowd);
    }
    let crowd = crowd(&paddock, "");
    paddock.release_streams();
    let (events, clean) = streaming.events();
    assert!(clean, "an established client was cut off");
    assert_eq!(events.last().expect("an event").data(), "[DONE]");
    let killed = paddock.child();
    killed.signal(Signal::KILL);
    wait_until(LIMIT, "another child", || {
        let model = paddock.model();
        model["status"] == "ready" && model["pid"] != killed.number()
    });
    wait_served(&paddock);
    drop(crowd);
}

#[test]
fn a_model_loads_whether_a_crowd_is_there_or_has_left() {
    let paddock = paddock_e2e::paddock!().open_files(128).start();
    paddock.wait_ready();
    let crowd = crowd(&paddock, "");
    let load = |path: &str| {
        let mut operator = Connection::connect(paddock.admin());
        let answer = operator.ask(post(&format!("/api/models/m/{path}?wait=true"), ""));
        assert_eq!(answer.status, 200, "{}", answer.text());
    };
    for path in ["unload", "load"] {
        load(path);
    }
    drop(crowd);
    for path in ["unload", "load"] {
        load(path);
    }
    wait_served(&paddock);
}

#[test]
fn a_client_that_is_one_too_many_is_told() {
    let paddock = paddock_e2e::paddock!()
        .config("server.max_connections = 2\nmodels.m.parallel = 2")
        .hold_streams()
        .start();
    paddock.wait_ready();
    let busy = [stream(&paddock), stream(&paddock)];
    let mut third = paddock.connect();
    let answer = third.answer();
    assert_eq!(answer.status, 503);
    assert_eq!(
        answer.field("x-paddock-error"),
        Some("too_many_connections")
    );
    assert_eq!(answer.error_code(), "too_many_connections");
    assert!(answer.text().contains("server.max_connections"));
    assert!(answer.head.closes());
    assert_eq!(paddock.status()["connections"]["refused"], 1);
    paddock.release_streams();
    for mut client in busy {
        assert!(client.events().1, "it was cut");
    }
    wait_served(&paddock);
}

#[test]
fn the_admin_plane_has_room_for_who_asks_something() {
    let paddock = few_files().start();
    paddock.wait_ready();
    let idle: Vec<_> = (0..CLIENTS)
        .map(|_| Connection::connect(paddock.admin()))
        .collect();
    wait_until(LIMIT, "the operator to be answered", || {
        let mut operator = Connection::connect(paddock.admin());
        let answer = operator.try_ask(get("/api/status"));
        answer.is_ok_and(|answer| answer.status == 200)
    });
    drop(idle);
}

#[test]
fn too_few_files_are_told_at_the_start() {
    let finished = paddock_e2e::paddock!().open_files(48).run_serve();
    assert_eq!(finished.code, Some(1));
    for words in ["may open 48 files", "LimitNOFILE=", "ulimit -n"] {
        assert!(finished.stderr.contains(words), "{}", finished.stderr);
    }
    let builder = few_files().config("server.max_connections = 100");
    let finished = builder.run_serve();
    assert_eq!(finished.code, Some(1));
    let words = "`server.max_connections` is 100";
    assert!(finished.stderr.contains(words), "{}", finished.stderr);
}
