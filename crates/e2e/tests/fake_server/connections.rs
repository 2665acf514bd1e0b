//! How connections live and end, and how bodies come in.

use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::support::{Connection, Dir, Fake, get, post, timed};

#[test]
fn the_hundredth_answer_ends_the_connection() {
    let fake = Fake::ready(&[]);
    let mut connection = fake.connect();
    for number in 1..=100 {
        connection.send(get("/health"));
        let closes = connection
            .answer()
            .head
            .contains("\r\nConnection: close\r\n");
        assert_eq!(closes, number == 100, "answer {number}");
    }
    assert_eq!(connection.rest(), "");
}

#[test]
fn an_idle_connection_ends_after_five_seconds() {
    let fake = Fake::ready(&[]);
    let mut connection = fake.connect();
    connection.send(get("/health"));
    connection.answer();
    let time = timed(|| assert_eq!(connection.rest(), ""));
    assert!(time > Duration::from_millis(4500), "{time:?}");
}

#[test]
fn close_is_obeyed_and_http_1_0_closes_unsaid() {
    let fake = Fake::ready(&[]);
    let mut connection = fake.connect();
    connection.send("GET /health HTTP/1.1\r\nConnection: close\r\n\r\n");
    assert!(connection.rest().contains("\r\nConnection: close\r\n"));
    let mut connection = fake.connect();
    connection.send("GET /health HTTP/1.0\r\n\r\n");
    assert!(
        connection
            .rest()
            .contains("\r\nKeep-Alive: timeout=5, max=100\r\n")
    );
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let fake = Fake::ready(&[]);
    let mut connection = fake.connect();
    // The body of a GET is no next request.
    connection.send("GET /health HTTP/1.1\r\nContent-Length: 4\r\n\r\nGET ");
    connection.send(get("/v1/models") + &get("/health"));
    assert_eq!(connection.answer().body, r#"{"status":"ok"}"#);
    assert_eq!(connection.answer().json()["object"], "list");
    assert_eq!(connection.answer().body, r#"{"status":"ok"}"#);
}

#[test]
fn a_body_is_invited_where_the_client_waits_for_that() {
    let fake = Fake::ready(&[]);
    let expecting = |path| {
        format!("POST {path} HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 15\r\n\r\n")
    };
    let mut connection = fake.connect();
    connection.send(expecting("/tokenize"));
    assert_eq!(
        connection.until("\r\n\r\n"),
        "HTTP/1.1 100 Continue\r\n\r\n"
    );
    connection.send(r#"{"content":"a"}"#);
    assert_eq!(connection.answer().body, r#"{"tokens":[97]}"#);
    // Who is refused anyway is not invited.
    connection.send(expecting("/nope"));
    assert!(connection.rest().starts_with("HTTP/1.1 404 "));
}

#[test]
fn a_chunked_body_is_put_together() {
    let fake = Fake::ready(&[]);
    let chunked = |body: &str| {
        fake.ask(&format!(
            "POST /tokenize HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{body}"
        ))
    };
    let body = "5\r\n{\"con\r\na;x=y\r\ntent\":\"a\"}\r\n0\r\nTrailer: t\r\n\r\n";
    assert_eq!(chunked(body).body, r#"{"tokens":[97]}"#);
    let broken = chunked("zz\r\n\r\n");
    assert!(broken.head.starts_with("HTTP/1.1 400 "));
    assert_eq!(broken.body, "");
}

#[test]
fn a_body_above_100_mib_is_refused() {
    const LIMIT: usize = 100 << 20;
    let fake = Fake::ready(&[]);
    let mut connection = fake.connect();
    let length = LIMIT + 1;
    connection.send(format!(
        "POST /tokenize HTTP/1.1\r\nContent-Length: {length}\r\n\r\n"
    ));
    connection.send_what_goes(&vec![b' '; length]);
    assert_eq!(
        connection.rest(),
        "HTTP/1.1 413 Payload Too Large\r\nServer: llama.cpp\r\nAccess-Control-Allow-Origin: \r\n\
         Connection: close\r\nContent-Length: 0\r\n\r\n"
    );
}

#[test]
fn the_prefix_is_before_every_route() {
    let fake = Fake::ready(&["--api-prefix", "/llm"]);
    assert_eq!(fake.get("/llm/health").status(), 200);
    assert_eq!(fake.get("/health").status(), 404);
    assert_eq!(fake.post("/llm/tokenize", "{}").status(), 200);
}

#[test]
fn several_hosts_and_a_free_port() {
    let dir = Dir::new();
    let second = dir.path().join("second.sock");
    let hosts = format!("127.0.0.1,{}", second.display());
    let mut fake = Fake::start(&["--host", &hosts, "--port", "0"]);
    let line = fake.stderr.wait_for("listening on http://127.0.0.1:");
    let port: u16 = line.rsplit(':').next().unwrap().parse().unwrap();
    fake.stderr
        .wait_for(&format!("listening on unix://{}", second.display()));
    let mut tcp = Connection::of(TcpStream::connect(("127.0.0.1", port)).unwrap());
    let mut unix = Connection::over(UnixStream::connect(&second).unwrap());
    for connection in [&mut tcp, &mut unix] {
        connection.send(get("/health"));
        assert_eq!(connection.answer().status(), 200);
    }
    tcp.send(post("/tokenize", "{}"));
    assert_eq!(tcp.answer().body, r#"{"tokens":[]}"#);
}

#[test]
fn a_path_may_be_escaped() {
    let fake = Fake::ready(&[]);
    assert_eq!(fake.get("/he%61lth?a=b#c").status(), 200);
    assert_eq!(fake.get("/health%").status(), 404);
}
