use crate::support::both_kinds;
use paddock_e2e::harness::{Connection, Paddock};

/// What paddock adds when the request has this name and asks for the connection's end.
const ADDED: &str = "x-request-id: t\r\nConnection: close\r\n";

/// Makes the child answer with these bytes, and returns all that comes.
fn answer(connection: &mut Connection, method: &str, raw: &[u8], child_closes: bool) -> Vec<u8> {
    let close = if child_closes {
        "x-fake-close: 1\r\n"
    } else {
        ""
    };
    let head = format!(
        "{method} /__fake/respond HTTP/1.1\r\nHost: x\r\nx-request-id: t\r\n\
         Connection: close\r\n{close}Content-Length: {}\r\n\r\n",
        raw.len()
    );
    connection.send([head.as_bytes(), raw].concat());
    connection.rest()
}

fn assert_comes(paddock: &Paddock, method: &str, raw: &[u8], child_closes: bool, expected: &[u8]) {
    for address in paddock.public_addresses() {
        let got = answer(&mut Connection::connect(address), method, raw, child_closes);
        assert_eq!(
            got.escape_ascii().to_string(),
            expected.escape_ascii().to_string(),
            "{address}",
        );
    }
}

/// Puts what paddock adds behind the last field of the last head.
fn with_added(head: &[u8], body: &[u8]) -> Vec<u8> {
    let fields = head.strip_suffix(b"\r\n").expect("a head");
    [fields, ADDED.as_bytes(), b"\r\n", body].concat()
}

#[test]
fn heads_and_bodies_come_back_as_they_are() {
    let paddock = both_kinds(paddock_e2e::paddock!());
    let long = format!(
        "HTTP/1.1 200 OK\r\nX-Long: {}\r\nContent-Length: 2\r\n\r\n",
        "x".repeat(60_000)
    );
    for (head, body) in [
        (&b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"[..], &b"ok"[..]),
        (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 299 \r\ncontent-length:002\r\n\r\n", b"\r\n"),
        (b"HTTP/1.1 599 Odd \xe9 But  Fine\r\nX-Obs: \xe9\r\nEmpty:\r\nContent-Length: 1 \r\n\r\n", b"\0"),
        (b"HTTP/1.1 500 No\r\nSet-Cookie: b\r\nX: 1\r\nset-cookie: a\r\nSet-Cookie: b\r\nContent-Length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 204 No Content\r\nX: 1\r\n\r\n", b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\nETag: \"a\"\r\n\r\n", b""),
        (
            b"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"002;a=\"b\"\r\nhi\r\nA\r\n0123456789\r\n0;last\r\nX-Sum: 1\r\nx-sum: \xe9\r\n\r\n",
        ),
        (long.as_bytes(), b"ok"),
    ] {
        let raw = [head, body].concat();
        assert_comes(&paddock, "POST", &raw, false, &with_added(head, body));
    }
}

#[test]
fn hop_by_hop_lines_of_an_answer_end_here() {
    let paddock = both_kinds(paddock_e2e::paddock!());
    let raw = b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5, max=100\r\nServer: s\r\n\
        Connection: X-Hop\r\nX-Hop: 1\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nok";
    let head = b"HTTP/1.1 200 OK\r\nServer: s\r\nContent-Length: 2\r\n\r\n";
    assert_comes(&paddock, "POST", raw, false, &with_added(head, b"ok"));
}

#[test]
fn interim_answers_pass_on_their_own() {
    let paddock = both_kinds(paddock_e2e::paddock!());
    let interim = b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nLink: </b>\r\n\r\n\
        HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
    let raw = [&interim[..], head, b"ok"].concat();
    let expected = [&interim[..], &with_added(head, b"ok")].concat();
    assert_comes(&paddock, "POST", &raw, false, &expected);
}

#[test]
fn an_answer_that_ends_with_its_connection_is_whole() {
    let paddock = both_kinds(paddock_e2e::paddock!());
    let body = vec![b'x'; 200_000];
    for (head, expected) in [
        (
            &b"HTTP/1.1 200 OK\r\nX: 1\r\n\r\n"[..],
            &b"HTTP/1.1 200 OK\r\nX: 1\r\n\r\n"[..],
        ),
        (b"HTTP/1.0 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"),
        (
            b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\n",
        ),
    ] {
        let raw = [head, &body].concat();
        assert_comes(&paddock, "POST", &raw, true, &with_added(expected, &body));
    }
}

#[test]
fn head_is_answered_without_a_body() {
    let paddock = both_kinds(paddock_e2e::paddock!());
    for head in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n"[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\n\r\n",
    ] {
        assert_comes(&paddock, "HEAD", head, false, &with_added(head, b""));
    }
}

#[test]
fn an_answer_that_is_not_http_is_a_502() {
    let paddock = both_kinds(paddock_e2e::paddock!());
    for raw in [
        &b"SSH-2.0-OpenSSH_9.2\r\n\r\n"[..],
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\nContent-Length: 1\n\na",
    ] {
        let mut connection = paddock.connect();
        let got = answer(&mut connection, "POST", raw, true);
        let got = String::from_utf8_lossy(&got);
        assert!(got.starts_with("HTTP/1.1 502 Bad Gateway\r\n"), "{got}");
        assert!(
            got.contains("\r\nx-paddock-error: upstream_closed\r\n"),
            "{got}"
        );
        assert!(got.contains("\r\nx-request-id: t\r\n"), "{got}");
    }
}
