//! Response heads, byte for byte as release b11434 sends them.

use super::support::{Fake, get, post};

const PLAIN: &str = "Server: llama.cpp\r\nAccess-Control-Allow-Origin: \r\n\
    Content-Type: application/json; charset=utf-8\r\n";

#[test]
fn health() {
    let fake = Fake::ready(&[]);
    for path in ["/health", "/v1/health"] {
        let answer = fake.get(path);
        let fields = "Content-Length: 15\r\nKeep-Alive: timeout=5, max=100\r\n\r\n";
        assert_eq!(answer.head, format!("HTTP/1.1 200 OK\r\n{PLAIN}{fields}"));
        assert_eq!(answer.body, r#"{"status":"ok"}"#);
    }
}

#[test]
fn unknown_path() {
    let fake = Fake::ready(&[]);
    let body = r#"{"error":{"message":"File Not Found","type":"not_found_error","code":404}}"#;
    for request in [get("/nope"), post("/nope", "{}"), post("/health", "{}")] {
        let answer = fake.ask(&request);
        let fields = "Content-Length: 74\r\nConnection: close\r\n\r\n";
        assert_eq!(
            answer.head,
            format!("HTTP/1.1 404 Not Found\r\n{PLAIN}{fields}")
        );
        assert_eq!(answer.body, body);
    }
}

#[test]
fn head_has_no_body() {
    let fake = Fake::ready(&[]);
    let mut connection = fake.connect();
    connection.send("HEAD /health HTTP/1.1\r\nHost: x\r\n\r\n");
    connection.send(get("/nope"));
    let head = connection.until("\r\n\r\n");
    let fields =
        "Content-Length: 15\r\nKeep-Alive: timeout=5, max=100\r\nAccept-Ranges: bytes\r\n\r\n";
    assert_eq!(head, format!("HTTP/1.1 200 OK\r\n{PLAIN}{fields}"));
    assert!(connection.rest().starts_with("HTTP/1.1 404 "));
}

#[test]
fn origin_is_echoed_and_preflight_answered() {
    let fake = Fake::ready(&[]);
    let answer = fake.ask("GET /health HTTP/1.1\r\nOrigin: http://a.b\r\n\r\n");
    assert!(
        answer
            .head
            .contains("\r\nAccess-Control-Allow-Origin: http://a.b\r\n")
    );
    let answer = fake.ask("OPTIONS /x HTTP/1.1\r\nOrigin: q\r\n\r\n");
    assert_eq!(
        answer.head,
        "HTTP/1.1 200 OK\r\nServer: llama.cpp\r\nAccess-Control-Allow-Origin: q\r\n\
         Access-Control-Allow-Credentials: true\r\n\
         Access-Control-Allow-Methods: GET, POST, DELETE, OPTIONS\r\n\
         Access-Control-Allow-Headers: *\r\nContent-Type: text/html\r\n\
         Keep-Alive: timeout=5, max=100\r\nContent-Length: 0\r\n\r\n"
    );
}

#[test]
fn what_is_not_understood_is_refused() {
    let fake = Fake::ready(&[]);
    let long = "a".repeat(8300);
    let refused = [
        "FOO /health HTTP/1.1\r\n\r\n",
        "GET /health\r\n\r\n",
        "GET /health HTTP/2.0\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost : x\r\n\r\n",
        "GET /health HTTP/1.1\r\nno colon\r\n\r\n",
        &format!("GET /health HTTP/1.1\r\nX: {long}\r\n\r\n"),
        "POST /tokenize HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST /tokenize HTTP/1.1\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n",
        "POST /tokenize HTTP/1.1\r\nContent-Length: +4\r\n\r\n",
        "POST /tokenize HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
    ];
    for request in refused {
        let mut connection = fake.connect();
        connection.send(request);
        assert_eq!(
            connection.rest(),
            "HTTP/1.1 400 Bad Request\r\nServer: llama.cpp\r\nConnection: close\r\n\
             Content-Length: 0\r\n\r\n",
            "{request}"
        );
    }
}

#[test]
fn features_that_are_off_answer_501() {
    let fake = Fake::ready(&[]);
    let refused = [
        (
            get("/metrics"),
            "metrics endpoint. Start it with `--metrics`",
        ),
        (
            post("/embeddings", "{}"),
            "embeddings. Start it with `--embeddings`",
        ),
        (
            post("/v1/embeddings", "{}"),
            "embeddings. Start it with `--embeddings`",
        ),
        (
            post("/props", "{}"),
            "changing global properties. Start it with `--props`",
        ),
    ];
    for (request, what) in refused {
        let answer = fake.ask(&request);
        assert!(answer.head.starts_with("HTTP/1.1 501 Not Implemented\r\n"));
        assert!(answer.head.contains("\r\nConnection: close\r\n"));
        let message = format!("This server does not support {what}");
        let error = format!(
            r#"{{"error":{{"code":501,"message":"{message}","type":"not_supported_error"}}}}"#
        );
        assert_eq!(answer.body, error);
    }
}
