use super::harness::{Harness, head, run, send};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

/// Requests that the wire crate's table refuses; here none reaches the child. Each is the first lines of the
/// head and the body; `Host` comes first.
const REFUSED: &[&str] = &[
    "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "Content-Length: +3\r\n\r\nabc",
    "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "X: a\r\n folded\r\n\r\n",
    "X: a\nY: b\r\n\r\n",
    "X: a\rY: b\r\n\r\n",
    "Host: other\r\n\r\n",
    "Transfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nHost: other\r\n\r\n",
    "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nAuthorization: Bearer other\r\n\r\n",
    "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Api-Key: other\r\n\r\n",
];

#[test]
fn an_ambiguous_request_is_a_400_and_never_reaches_the_child() {
    run(async {
        for fields in REFUSED {
            let harness = Harness::new();
            let mut upstream = harness.upstream();
            let mut client = harness.client();
            send(
                &mut client,
                format!("POST / HTTP/1.1\r\nHost: h\r\nX-Request-Id: mine\r\n{fields}"),
            )
            .await;
            let answer = head(&mut client).await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{fields:?}: {answer}");
            assert!(answer.contains("\r\nx-request-id: mine\r\n"), "{answer}");
            assert!(answer.contains("Connection: close"), "{fields:?}: {answer}");
            let reached = timeout(Duration::from_secs(1), upstream.read_u8()).await;
            assert!(reached.is_err(), "{fields:?} reached the child");
        }
    });
}

#[test]
fn malformed_chunks_that_come_late_end_the_request_unfinished() {
    run(async {
        let harness = Harness::new();
        let mut upstream = harness.upstream();
        let mut client = harness.client();
        send(
            &mut client,
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
        )
        .await;
        // More than is read before the child gets the request.
        let chunk = format!("{:x}\r\n{}\r\n", 1 << 20, "x".repeat(1 << 20));
        send(&mut client, &chunk).await;
        head(&mut upstream).await;
        let mut passed = vec![0; chunk.len()];
        upstream.read_exact(&mut passed).await.unwrap();
        send(&mut client, "5\r\nhello\r\nnonsense").await;
        let answer = head(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        let mut rest = Vec::new();
        upstream.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"", "the child sees no end of the body");
    });
}
