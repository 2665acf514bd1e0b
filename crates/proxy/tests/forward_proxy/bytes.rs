//! Bytes that arrive on the other side.

use crate::support::{Child, Head, KINDS, Mounted, chunked, large, run};

const FIELDS: &[u8] = b"Host: model.example:9\r\nX-Twice: two\r\nAccept: */*\r\n\
    Connection: keep-alive, X-Hop\r\nx-twice: one\r\nX-Hop: 1\r\nTE: trailers\r\nX-Empty:\r\n\
    Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nX-Obs: \xe9t\xe9\r\n\
    Authorization: Bearer x\r\nX-Request-Id: mine\r\nExpect-Nothing: ever\r\n";

const ARRIVES: &[(&str, &str)] = &[
    ("accept", "*/*"),
    ("authorization", "Bearer x"),
    ("expect-nothing", "ever"),
    ("host", "model.example:9"),
    ("x-empty", ""),
    ("x-obs", "\u{e9}t\u{e9}"),
    ("x-request-id", "mine"),
    ("x-twice", "two"),
    ("x-twice", "one"),
];

const FRAMING: &[&str] = &["content-length", "transfer-encoding"];

/// Returns bodies: the framing's line, the bytes sent, and the data.
fn bodies() -> Vec<(String, Vec<u8>, Vec<u8>)> {
    let binary: Vec<u8> = (0..=255).collect();
    let large = large();
    let length = |body: &[u8]| {
        (
            format!("Content-Length: {}\r\n", body.len()),
            body.to_vec(),
            body.to_vec(),
        )
    };
    let chunks = |body: &[u8]| {
        let pieces: Vec<&[u8]> = body.chunks(100_000).collect();
        let line = "Transfer-Encoding: chunked\r\n".to_owned();
        (line, chunked(&pieces), body.to_vec())
    };
    vec![
        (String::new(), Vec::new(), Vec::new()),
        length(b""),
        length(&binary),
        length(&large),
        chunks(b""),
        chunks(&binary),
        chunks(&large),
    ]
}

#[test]
fn every_request_arrives_as_it_was_sent() {
    const METHODS: [&str; 7] = [
        "GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "M-SEARCH",
    ];
    const TARGETS: [&str; 3] = ["/", "/a%2Fb//c;d=e/../f", "/x?q=%20+a&&b=?/"];
    for kind in KINDS {
        run(async {
            let child = Child::listen(kind).await;
            let mounted = Mounted::of(child.upstream.clone()).await;
            let mut client = mounted.connect().await;
            client.send("GET /first HTTP/1.1\r\nHost: h\r\n\r\n").await;
            let mut wire = child.accept().await;
            wire.head().await;
            for (number, (line, sent, held)) in bodies().into_iter().enumerate() {
                wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                    .await;
                let answer = client.head().await;
                assert_eq!(client.body(&answer).await, b"ok");
                let method = METHODS[number % METHODS.len()];
                let target = TARGETS[number % TARGETS.len()];
                let first = format!("{method} {target} HTTP/1.1");
                let head = [first.as_bytes(), b"\r\n", FIELDS, line.as_bytes(), b"\r\n"];
                let asking = async {
                    client.send(head.concat()).await;
                    client.send(&sent).await;
                };
                let serving = async {
                    let head = wire.head().await;
                    let body = wire.body(&head).await;
                    (head, body)
                };
                let ((), (head, body)) = tokio::join!(asking, serving);
                assert_arrived(&head, &first);
                assert!(body == held, "{first} {line}");
            }
        });
    }
}

fn assert_arrived(head: &Head, first: &str) {
    assert_eq!(head.first, first);
    assert_eq!(head.without(FRAMING), ARRIVES);
}

const ANSWER_FIELDS: &str = "Server: llama.cpp\r\nDate: never\r\nSet-Cookie: b\r\n\
    Access-Control-Allow-Origin:\r\nKeep-Alive: timeout=5, max=100\r\nset-cookie: a\r\n\
    Content-Type: text/x-odd; charset=\"u\"\r\n";

const ANSWER_ARRIVES: &[(&str, &str)] = &[
    ("access-control-allow-origin", ""),
    ("content-type", "text/x-odd; charset=\"u\""),
    ("date", "never"),
    ("server", "llama.cpp"),
    ("set-cookie", "b"),
    ("set-cookie", "a"),
];

#[test]
fn every_answer_comes_back_as_it_was_given() {
    const STATUSES: [&str; 7] = [
        "200 OK",
        "299 Odd But Fine",
        "404 Not Found",
        "413 Payload Too Large",
        "500 Internal Server Error",
        "503 Service Unavailable",
        "201 Created",
    ];
    for kind in KINDS {
        run(async {
            let child = Child::listen(kind).await;
            let mounted = Mounted::of(child.upstream.clone()).await;
            let mut client = mounted.connect().await;
            client.send("GET /first HTTP/1.1\r\nHost: h\r\n\r\n").await;
            let mut wire = child.accept().await;
            for ((line, sent, held), status) in bodies().into_iter().skip(1).zip(STATUSES) {
                wire.head().await;
                let head = format!("HTTP/1.1 {status}\r\n{ANSWER_FIELDS}{line}\r\n");
                let answering = async {
                    wire.send(&head).await;
                    wire.send(&sent).await;
                };
                let asking = async {
                    let head = client.head().await;
                    let body = client.body(&head).await;
                    (head, body)
                };
                let ((), (head, body)) = tokio::join!(answering, asking);
                assert_eq!(head.first, format!("HTTP/1.1 {status}"));
                assert_eq!(head.without(FRAMING), ANSWER_ARRIVES);
                assert!(body == held, "{status} {line}");
                client.send("GET /next HTTP/1.1\r\nHost: h\r\n\r\n").await;
            }
        });
    }
}

#[test]
fn answers_without_a_body_have_none() {
    run(async {
        let child = Child::listen(KINDS[1]).await;
        let mounted = Mounted::of(child.upstream.clone()).await;
        let mut client = mounted.connect().await;
        client.send("HEAD /props HTTP/1.1\r\nHost: h\r\n\r\n").await;
        let mut wire = child.accept().await;
        for (status, length) in [
            ("200 OK", Some("99")),
            ("204 No Content", None),
            ("304 Not Modified", None),
        ] {
            wire.head().await;
            let line = length.map_or(String::new(), |length| {
                format!("Content-Length: {length}\r\n")
            });
            wire.send(format!("HTTP/1.1 {status}\r\n{ANSWER_FIELDS}{line}\r\n"))
                .await;
            let head = client.head().await;
            assert_eq!(head.first, format!("HTTP/1.1 {status}"));
            assert_eq!(head.without(FRAMING), ANSWER_ARRIVES);
            assert_eq!(head.value("content-length"), length);
            // The next bytes are a head, not a body.
            client.send("GET /next HTTP/1.1\r\nHost: h\r\n\r\n").await;
        }
    });
}

#[test]
fn an_answer_that_ends_with_its_connection_is_whole() {
    for kind in KINDS {
        run(async {
            let child = Child::listen(kind).await;
            let mounted = Mounted::of(child.upstream.clone()).await;
            let mut client = mounted.connect().await;
            client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
            let mut wire = child.accept().await;
            wire.head().await;
            wire.send("HTTP/1.1 200 OK\r\n\r\nall that comes").await;
            drop(wire);
            let head = client.head().await;
            assert_eq!(client.body(&head).await, b"all that comes");
        });
    }
}

#[test]
fn a_request_without_a_host_gets_one() {
    run(async {
        let child = Child::listen(KINDS[1]).await;
        let mounted = Mounted::of(child.upstream.clone()).await;
        let mut client = mounted.connect().await;
        client.send("GET /props HTTP/1.0\r\nX-A: 1\r\n\r\n").await;
        let head = child.accept().await.head().await;
        assert_eq!(head.first, "GET /props HTTP/1.1");
        assert_eq!(
            head.fields,
            [("host", "localhost"), ("x-a", "1")].map(owned)
        );
    });
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}
