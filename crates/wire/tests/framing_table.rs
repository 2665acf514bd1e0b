//! Tables of ambiguous requests with the reason for refusing each, and of odd but legal requests
//! with the forwarded bytes.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod table;
#[path = "differential/wire_reader.rs"]
mod wire_reader;

use paddock_wire::ChunkError::TooLarge;
use paddock_wire::InvalidRequest::{Chunk, HeadTooLarge, TooManyFields, TooManyHopByHop, Version};
use paddock_wire::{ByteSpan, MAX_HEAD, RequestHead};
use table::{ACCEPTED, REFUSED, WAITING};
use wire_reader::{Connection, ConnectionEnd};

fn escape(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// Reads `bytes` at once and byte by byte.
fn read(bytes: &[u8]) -> [Connection; 2] {
    [
        wire_reader::read(bytes, usize::MAX),
        wire_reader::read(bytes, 1),
    ]
}

#[test]
fn ambiguous_requests_are_refused() {
    for (name, bytes, refusal) in REFUSED {
        for connection in read(bytes) {
            assert_eq!(connection.end, ConnectionEnd::Refused(*refusal), "{name}");
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
fn incomplete_requests_wait_for_more_bytes() {
    for (name, bytes) in WAITING {
        for connection in read(bytes) {
            assert_eq!(connection.end, ConnectionEnd::Waits, "{name}");
            assert!(connection.messages.iter().all(|message| !message.complete));
        }
    }
}

#[test]
fn odd_but_legal_requests_are_forwarded_unchanged() {
    for (name, bytes, edits) in ACCEPTED {
        for connection in read(bytes) {
            assert!(
                !matches!(connection.end, ConnectionEnd::Refused(_)),
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
            assert_eq!(escape(&message.forwarded), escape(&expected), "{name}");
        }
    }
}

#[test]
fn limits_are_exact() {
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
    assert_eq!(end(&sized(MAX_HEAD)), ConnectionEnd::Waits);
    assert_eq!(
        end(&sized(MAX_HEAD + 1)),
        ConnectionEnd::Refused(HeadTooLarge)
    );
    assert_eq!(end(&head(&"X: y\r\n".repeat(127))), ConnectionEnd::Waits);
    assert_eq!(
        end(&head(&"X: y\r\n".repeat(128))),
        ConnectionEnd::Refused(TooManyFields)
    );
    assert_eq!(end(&head(&"TE: y\r\n".repeat(16))), ConnectionEnd::Waits);
    assert_eq!(
        end(&head(&"TE: y\r\n".repeat(17))),
        ConnectionEnd::Refused(TooManyHopByHop)
    );
    let target = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(60_000));
    assert_eq!(end(target.as_bytes()), ConnectionEnd::Waits);
    let body = |extra: &str| {
        [
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            extra.as_bytes(),
        ]
        .concat()
    };
    let extension = |len: usize| body(&format!("1;{}\r\nx\r\n0\r\n\r\n", "e".repeat(len)));
    assert_eq!(end(&extension(16 * 1024 - 1)), ConnectionEnd::Waits);
    assert_eq!(
        end(&extension(16 * 1024)),
        ConnectionEnd::Refused(Chunk(TooLarge))
    );
    let trailer = |len: usize| body(&format!("0\r\nX:{}\r\n\r\n", "e".repeat(len)));
    assert_eq!(end(&trailer(16 * 1024 - 3)), ConnectionEnd::Waits);
    assert_eq!(
        end(&trailer(16 * 1024 - 2)),
        ConnectionEnd::Refused(Chunk(TooLarge))
    );
    let many = body(&["1;ext\r\nx\r\n".repeat(5000), "0\r\n\r\n".into()].concat());
    assert_eq!(end(&many), ConnectionEnd::Refused(Chunk(TooLarge)));
}

#[test]
fn connection_options_are_limited() {
    let head = |members: usize| {
        let members = vec!["x"; members].join(",");
        format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: {members}\r\n\r\n").into_bytes()
    };
    assert_eq!(
        wire_reader::read(&head(32), usize::MAX).end,
        ConnectionEnd::Waits
    );
    assert_eq!(
        wire_reader::read(&head(33), usize::MAX).end,
        ConnectionEnd::Refused(TooManyHopByHop)
    );
}

#[test]
fn expect_100_continue_is_recognized() {
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
fn a_request_id_of_the_client_is_kept() {
    let head = b"GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID:  abc \r\n\r\n";
    let request = RequestHead::parse(head).expect("legal");
    assert_eq!(
        request.request_id.map(|id| id.slice(head)),
        Some(&b"abc"[..])
    );
}

#[test]
fn the_target_can_be_cut_in_the_most_edited_head() {
    let hop_by_hop = "TE: x\r\n".repeat(15);
    let head = format!("GET /upstream/m/v1?q HTTP/1.0\r\n{hop_by_hop}X: y\r\n\r\n");
    let mut request = RequestHead::parse(head.as_bytes()).expect("legal");
    request.cut_from_target(ByteSpan::new(0, "/upstream/m".len()));
    let mut out = Vec::new();
    request.edits.render(head.as_bytes(), &[], &mut out);
    assert_eq!(escape(&out), escape(b"GET /v1?q HTTP/1.1\r\nX: y\r\n\r\n"));
    let more = head.replacen("TE: x", "TE: y\r\nTE: x", 1);
    let refused = RequestHead::parse(more.as_bytes()).map(|_| ());
    assert_eq!(refused, Err(TooManyHopByHop));
}
