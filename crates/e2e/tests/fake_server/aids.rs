//! The test aids under `/__fake/`.

use super::support::{Fake, get, post, wait_until};

#[test]
fn echo_returns_the_bytes_it_got() {
    let fake = Fake::start(&["--fake-load-ms", "60000"]);
    for request in [
        "GET /__fake/echo?a=%20b HTTP/1.1\r\nhOST:x\r\nX-A:  1 \r\nX-A: 2\r\n\r\n".to_owned(),
        "ODD /__fake/echo HTTP/1.1\r\n\r\n".to_owned(),
        post("/__fake/echo", "some body"),
        "PUT /__fake/echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
         003;ext=1\r\nabc\r\n0\r\nTrailer: t\r\n\r\n"
            .to_owned(),
    ] {
        assert_eq!(fake.ask(&request).body, request);
    }
}

#[test]
fn respond_writes_any_bytes() {
    let fake = Fake::ready(&[]);
    let response = "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 299 Odd\r\nA: 1\r\na: 2\r\n\
        Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nT: v\r\n\r\n";
    let mut connection = fake.connect();
    connection.send(post("/__fake/respond", response));
    connection.send(get("/health"));
    assert_eq!(connection.until("T: v\r\n\r\n"), response);
    assert_eq!(connection.answer().body, r#"{"status":"ok"}"#);
    connection.send(
        "POST /__fake/respond HTTP/1.1\r\nX-Fake-Close: 1\r\nContent-Length: 25\r\n\r\n\
         HTTP/1.1 200 OK\r\n\r\nto end",
    );
    assert_eq!(connection.rest(), "HTTP/1.1 200 OK\r\n\r\nto end");
}

#[test]
fn state_counts() {
    let fake = Fake::ready(&[]);
    assert_eq!(fake.state("requests_served"), 0);
    fake.get("/health");
    fake.get("/nope");
    assert_eq!(fake.state("requests_served"), 2);
    let held = fake.connect();
    fake.wait_for_state("connections_open", 2);
    drop(held);
    fake.wait_for_state("connections_open", 1);
}

#[test]
fn a_stalled_stream_shows_what_the_socket_took() {
    let fake = Fake::ready(&[]);
    let mut connection = fake.connect();
    connection.send(get("/__fake/stall-stream"));
    let head = connection.until("\r\n\r\n");
    assert!(head.contains("\r\nContent-Type: text/event-stream\r\n"));
    connection.until("data: xxx");
    // The socket takes what its buffers hold, and then no more.
    let mut last = 0;
    wait_until("a stall", || {
        let before = std::mem::replace(&mut last, fake.state("stream_bytes"));
        (before > 0 && before == last).then_some(())
    });
    assert!(last < 8 << 20, "{last}");
    connection.until("xxx\n\n\r\n");
    drop(connection);
    fake.wait_for_state("streams_open", 0);
    assert_eq!(fake.state("stream_bytes"), 0);
}

#[test]
fn a_push_makes_every_pushed_stream_send_an_event() {
    let fake = Fake::ready(&[]);
    let mut streams = [fake.connect(), fake.connect()];
    for stream in &mut streams {
        stream.send(get("/__fake/pushed-stream"));
        stream.until("\r\n\r\n");
    }
    for number in 1..=3 {
        assert_eq!(fake.get("/__fake/push").status(), 200);
        for stream in &mut streams {
            assert_eq!(
                stream.until("\n\n\r\n"),
                format!("9\r\ndata: {number}\n\n\r\n")
            );
        }
    }
    drop(streams);
    fake.wait_for_state("streams_open", 0);
}

#[test]
fn a_flood_says_what_it_wrote() {
    let fake = Fake::ready(&[]);
    let written: serde_json::Value =
        serde_json::from_str(&fake.get("/__fake/flood/0.05").body).unwrap();
    let count = |name: &str| written[name].as_u64().unwrap();
    assert!(
        count("lines") >= 500 && count("bytes") > 100 * count("lines"),
        "{written}"
    );
}
