//! Streams, clients that leave, connections that end.

use crate::support::{Child, KINDS, Kind, Mounted, Wire, run};

const ASK: &str = "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}";
const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
    Transfer-Encoding: chunked\r\n\r\n";
const EVENT: &str = "data: 1\n\n";

fn chunk(data: &str) -> String {
    format!("{:x}\r\n{data}\r\n", data.len())
}

/// Starts a router in front of a child, with a request that has arrived there.
async fn asked(kind: Kind) -> (Mounted, Child, Wire, Wire) {
    let child = Child::listen(kind).await;
    let mounted = Mounted::of(child.upstream.clone()).await;
    let mut client = mounted.connect().await;
    client.send(ASK).await;
    let mut wire = child.accept().await;
    let head = wire.head().await;
    assert_eq!(wire.body(&head).await, b"{}");
    (mounted, child, client, wire)
}

#[test]
fn each_piece_of_a_stream_arrives_before_the_next_is_sent() {
    for kind in KINDS {
        run(async {
            let (_mounted, _child, mut client, mut wire) = asked(kind).await;
            wire.send(STREAM).await;
            assert_eq!(client.head().await.first, "HTTP/1.1 200 OK");
            for _ in 0..50 {
                wire.send(chunk(EVENT)).await;
                assert_eq!(client.chunk().await, EVENT.as_bytes());
            }
            wire.send("0\r\n\r\n").await;
            assert_eq!(client.chunk().await, b"");
        });
    }
}

#[test]
fn a_client_that_leaves_closes_the_childs_connection() {
    for kind in KINDS {
        run(async {
            let (_mounted, _child, mut client, mut wire) = asked(kind).await;
            wire.send(format!("{STREAM}{}", chunk(EVENT))).await;
            client.head().await;
            drop(client);
            assert_eq!(wire.rest().await, b"", "in a stream");

            let (_mounted, _child, client, mut wire) = asked(kind).await;
            drop(client);
            assert_eq!(wire.rest().await, b"", "before the answer");
        });
    }
}

#[test]
fn a_child_that_leaves_breaks_the_answer_off() {
    for kind in KINDS {
        run(async {
            let (_mounted, _child, mut client, mut wire) = asked(kind).await;
            wire.send(format!("{STREAM}{}", chunk(EVENT))).await;
            client.head().await;
            assert_eq!(client.chunk().await, EVENT.as_bytes());
            drop(wire);
            assert_eq!(client.rest().await, b"", "no last chunk");
        });
    }
}

#[test]
fn a_connection_that_went_stale_is_replaced_without_a_word() {
    for kind in KINDS {
        run(async {
            let (_mounted, child, mut client, mut wire) = asked(kind).await;
            for _ in 0..20 {
                wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                    .await;
                let head = client.head().await;
                assert_eq!(head.first, "HTTP/1.1 200 OK");
                assert_eq!(client.body(&head).await, b"ok");
                drop(wire);
                client.send(ASK).await;
                wire = child.accept().await;
                let head = wire.head().await;
                assert_eq!(wire.body(&head).await, b"{}");
            }
        });
    }
}
