//! Requests that two parsers could read differently, each with the reason it is refused for;
//! and odd ones that are legal, each with what goes on.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

#[path = "differential/ours.rs"]
mod ours;
mod table;

use ours::{Connection, End};
use paddock_wire::ChunkError::TooLarge;
use paddock_wire::Refusal::{Chunk, HeadTooLarge, TooManyFields, TooManyHopByHop, Version};
use paddock_wire::{MAX_HEAD, RequestHead};
use table::{ACCEPTED, REFUSED, WAITING};

fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// Both readings, whole and byte for byte.
fn read(bytes: &[u8]) -> [Connection; 2] {
    [ours::read(bytes, usize::MAX), ours::read(bytes, 1)]
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    for (name, bytes, refusal) in REFUSED {
        for connection in read(bytes) {
            assert_eq!(connection.end, End::Refused(*refusal), "{name}");
            let all_complete = connection.messages.iter().all(|message| message.complete);
            assert_eq!(all_complete, !matches!(refusal, Chunk(_)), "{name}");
        }
        assert_eq!(
            refusal.status(),
            if *refusal == Version { 505 } else { 400 }
        );
    }
}

#[test]
fn what_is_not_whole_waits() {
    for (name, bytes) in WAITING {
        for connection in read(bytes) {
            assert_eq!(connection.end, End::Waits, "{name}");
            assert!(connection.messages.iter().all(|message| !message.complete));
        }
    }
}

#[test]
fn what_is_odd_and_legal_goes_on_as_it_came() {
    for (name, bytes, edits) in ACCEPTED {
        for connection in read(bytes) {
            assert!(
                !matches!(connection.end, End::Refused(_)),
                "{name}: {connection:?}"
            );
            let [message] = &connection.messages[..] else {
                panic!("{name}: {connection:?}");
            };
            assert!(message.complete, "{name}");
            assert_eq!(
                [&message.head[..], &message.body].concat(),
                *bytes,
                "{name}"
            );
            let mut expected = message.head.clone();
            for (from, to) in *edits {
                let at = expected
                    .windows(from.len())
                    .position(|window| window == from.as_bytes())
                    .unwrap_or_else(|| panic!("{name}: no {from:?}"));
                expected.splice(at..at + from.len(), to.bytes());
            }
            assert_eq!(shown(&message.forwarded), shown(&expected), "{name}");
        }
    }
}

#[test]
fn limits_are_where_they_are_said_to_be() {
    let end = |bytes: &[u8]| {
        let [whole, pieces] = read(bytes);
        assert_eq!(whole.end, pieces.end);
        whole.end
    };
    let head = |fields: &str| format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n").into_bytes();
    let sized = |len: usize| {
        head(&format!(
            "X: {}\r\n",
            "y".repeat(len - head("X: \r\n").len())
        ))
    };
    assert_eq!(sized(MAX_HEAD).len(), MAX_HEAD);
    assert_eq!(end(&sized(MAX_HEAD)), End::Waits);
    assert_eq!(end(&sized(MAX_HEAD + 1)), End::Refused(HeadTooLarge));
    assert_eq!(end(&head(&"X: y\r\n".repeat(127))), End::Waits);
    assert_eq!(
        end(&head(&"X: y\r\n".repeat(128))),
        End::Refused(TooManyFields)
    );
    assert_eq!(end(&head(&"TE: y\r\n".repeat(16))), End::Waits);
    assert_eq!(
        end(&head(&"TE: y\r\n".repeat(17))),
        End::Refused(TooManyHopByHop)
    );
    let target = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(60_000));
    assert_eq!(end(target.as_bytes()), End::Waits);
    let body = |extra: &str| {
        [
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            extra.as_bytes(),
        ]
        .concat()
    };
    let extension = |len: usize| body(&format!("1;{}\r\nx\r\n0\r\n\r\n", "e".repeat(len)));
    assert_eq!(end(&extension(16 * 1024 - 1)), End::Waits);
    assert_eq!(end(&extension(16 * 1024)), End::Refused(Chunk(TooLarge)));
    let trailer = |len: usize| body(&format!("0\r\nX:{}\r\n\r\n", "e".repeat(len)));
    assert_eq!(end(&trailer(16 * 1024 - 3)), End::Waits);
    assert_eq!(end(&trailer(16 * 1024 - 2)), End::Refused(Chunk(TooLarge)));
    let many = body(&["1;ext\r\nx\r\n".repeat(5000), "0\r\n\r\n".into()].concat());
    assert_eq!(end(&many), End::Refused(Chunk(TooLarge)));
}

#[test]
fn members_of_connection_are_counted() {
    let head = |members: usize| {
        let members = vec!["x"; members].join(",");
        format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: {members}\r\n\r\n").into_bytes()
    };
    assert_eq!(ours::read(&head(32), usize::MAX).end, End::Waits);
    assert_eq!(
        ours::read(&head(33), usize::MAX).end,
        End::Refused(TooManyHopByHop)
    );
}

#[test]
fn what_a_client_waits_for_is_seen() {
    let expects = |version: &str, fields: &str| {
        let head = format!("POST / HTTP/{version}\r\nHost: a\r\n{fields}\r\n");
        RequestHead::parse(head.as_bytes())
            .expect("legal")
            .expects_continue
    };
    assert!(expects("1.1", "Expect: 100-continue\r\n"));
    assert!(expects("1.1", "eXPECT:\t100-CONTINUE \r\n"));
    assert!(expects("1.1", "Expect: 100-continue\r\nExpect: x\r\n"));
    assert!(!expects("1.1", ""));
    assert!(!expects("1.1", "Expect: 100\r\n"));
    assert!(!expects("1.0", "Expect: 100-continue\r\n"));
}

#[test]
fn a_request_is_named_by_its_client() {
    let head = b"GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID:  abc \r\n\r\n";
    let request = RequestHead::parse(head).expect("legal");
    assert_eq!(request.request_id.map(|id| id.of(head)), Some(&b"abc"[..]));
}

#[test]
fn the_target_can_be_cut_in_the_most_edited_head() {
    let hop_by_hop = "TE: x\r\n".repeat(15);
    let head = format!("GET /upstream/m/v1?q HTTP/1.0\r\n{hop_by_hop}X: y\r\n\r\n");
    let mut request = RequestHead::parse(head.as_bytes()).expect("legal");
    request.cut_target_prefix("/upstream/m".len());
    let mut out = Vec::new();
    request.edits.render(head.as_bytes(), &[], &mut out);
    assert_eq!(shown(&out), shown(b"GET /v1?q HTTP/1.1\r\nX: y\r\n\r\n"));
    let more = head.replacen("TE: x", "TE: y\r\nTE: x", 1);
    let refused = RequestHead::parse(more.as_bytes()).map(|_| ());
    assert_eq!(refused, Err(TooManyHopByHop));
}
