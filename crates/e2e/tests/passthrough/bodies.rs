use crate::support::{binary, both_kinds, chunked, echo, echo_counted};
use paddock_e2e::harness::{Connection, Paddock};

const LARGE: usize = 64 << 20;

fn each_kind(paddock: &Paddock, test: impl Fn(&mut Connection)) {
    for address in paddock.public_addresses() {
        test(&mut Connection::connect(address));
    }
}

fn assert_echoes(connection: &mut Connection, request: &[u8]) {
    let answer = connection.ask(request);
    assert_eq!(answer.status, 200, "{:?}", answer.head);
    assert_same(&answer.body, request);
}

/// Not `assert_eq`, which would print all of them.
fn assert_same(got: &[u8], sent: &[u8]) {
    if got == sent {
        return;
    }
    let same = got.iter().zip(sent).take_while(|(one, other)| one == other);
    let same = same.count();
    let show = |bytes: &[u8]| {
        let end = bytes.len().min(same + 200);
        bytes[same..end].escape_ascii().to_string()
    };
    panic!("byte {same}: sent {}, got {}", show(sent), show(got));
}

#[test]
fn bodies_of_64_mib_arrive_and_come_back() {
    let paddock = both_kinds(paddock_e2e::paddock!());
    let body = binary(LARGE, 1);
    let counted = echo_counted(&body);
    let framed = chunked(&body, &[1, 70_000, 16, 1_000_003, 4096]);
    let framed = echo("Transfer-Encoding: chunked\r\n", &framed);
    each_kind(&paddock, |connection| {
        assert_echoes(connection, &counted);
        assert_echoes(connection, &framed);
    });
}

#[test]
fn the_smallest_bodies_arrive_as_they_are() {
    let paddock = both_kinds(paddock_e2e::paddock!());
    each_kind(&paddock, |connection| {
        for (framing, body) in [
            ("", &b""[..]),
            ("Content-Length: 0\r\n", b""),
            ("Content-Length: 00\r\n", b""),
            ("Content-Length: 1\r\n", b"\0"),
            ("Transfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
            (
                "TRANSFER-encoding:chunked\r\n",
                b"1;a=\"b\"\r\n\xff\r\n000;c\r\nX-Sum: \xe9\r\n\r\n",
            ),
        ] {
            assert_echoes(connection, &echo(framing, body));
        }
    });
}

#[test]
fn heads_of_every_kind_arrive_as_they_are() {
    let paddock = both_kinds(paddock_e2e::paddock!());
    each_kind(&paddock, |connection| {
        for method in [
            "GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "M-SEARCH", "get",
        ] {
            let request = format!(
                "{method} /__fake/echo?q=%20+a&&b=?/;\"{{}}|%zz HTTP/1.1\r\nhOsT:x\r\n\
                 X-A: 1\r\nAccept:*/*\r\nx-a:\t2 \r\nX-Empty:\r\nX-A: 1\r\n\
                 traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\
                 Authorization: Bearer k\r\nX-REQUEST-ID:  mine \r\nCookie: a=b; c=\"d\"\r\n\r\n"
            );
            assert_echoes(connection, request.as_bytes());
        }
        assert_echoes(connection, b"GET /__fake/echo HTTP/1.1\r\nHost: x\r\nX-Obs: \xe9\xff\r\nx-request-id: \xe9\r\n\r\n");
        let long = "x".repeat(8000);
        let fields = format!("X-Long: {long}\r\n").repeat(7);
        assert_echoes(connection, echo(&fields, b"").as_slice());
    });
}

#[test]
fn only_hop_by_hop_lines_end_here_and_a_name_is_added() {
    let paddock = both_kinds(paddock_e2e::paddock!());
    each_kind(&paddock, |connection| {
        let answer = connection.ask(
            "GET /__fake/echo HTTP/1.1\r\nConnection: keep-alive, X-Hop\r\nHost: x\r\nX-Hop: 1\r\n\
             TE: trailers\r\nKeep-Alive: timeout=9\r\nUpgrade: h2c\r\nX-A: 1\r\n\
             Proxy-Connection: close\r\n\r\n",
        );
        let id = answer.field("x-request-id").expect("a name").to_owned();
        assert!(!id.is_empty());
        let expected =
            format!("GET /__fake/echo HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nx-request-id: {id}\r\n\r\n");
        assert_same(&answer.body, expected.as_bytes());
    });
}

#[test]
fn a_body_that_waits_to_be_invited_is_invited_once() {
    let paddock = both_kinds(paddock_e2e::paddock!());
    let body = binary(300_000, 2);
    let framed = chunked(&body, &[100_000]);
    each_kind(&paddock, |connection| {
        for (framing, body) in [
            (format!("Content-Length: {}\r\n", body.len()), &body),
            ("Transfer-Encoding: chunked\r\n".to_owned(), &framed),
        ] {
            let head = echo(&format!("Expect: 100-continue\r\n{framing}"), b"");
            connection.send(&head);
            assert_eq!(connection.head().raw, b"HTTP/1.1 100 Continue\r\n\r\n");
            connection.send(body);
            let answer = connection.answer();
            assert_same(&answer.body, &[&head, &body[..]].concat());

            // One that does not wait gets the same.
            connection.send([&head, &body[..]].concat());
            assert_eq!(connection.head().status, 100);
            let answer = connection.answer();
            assert_same(&answer.body, &[&head, &body[..]].concat());
        }
    });
}
