//! Retries of requests whose reused connection was dead.

use super::harness::{GENERATION, Harness, LIMITS, head, run, send};
use paddock_admission::model::{ChildExit, Endpoint};
use paddock_scheduler::Generation;
use paddock_supervisor::Address;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::sleep;

const ASK: &str = "POST /completion HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nagain";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Makes a worker whose upstream listens on a socket, and returns the listener.
fn listening() -> (TempDir, UnixListener, Harness) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("child.sock");
    let listener = UnixListener::bind(&path).unwrap();
    (
        dir,
        listener,
        Harness::with_address(LIMITS, Address::Unix(path)),
    )
}

/// Reads a head and the body of [`ASK`].
async fn asked(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut asked = Vec::new();
    while !asked.ends_with(b"\r\n\r\nagain") {
        asked.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(asked).unwrap()
}

async fn accept(listener: &UnixListener) -> UnixStream {
    listener.accept().await.unwrap().0
}

#[test]
fn a_request_that_met_the_end_of_a_reused_connection_is_sent_again_as_it_was() {
    run(async {
        let (_dir, listener, harness) = listening();
        let mut old = harness.upstream();
        let mut client = harness.client();
        send(&mut client, ASK).await;
        let first = asked(&mut old).await;
        drop(old);
        let mut fresh = accept(&listener).await;
        assert_eq!(asked(&mut fresh).await, first);
        fresh.write_all(OK.as_bytes()).await.unwrap();
        let answer = head(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    });
}

/// The child is dead: nothing listens, or the listener is about to close.
#[test]
fn a_request_whose_child_has_exited_is_sent_to_the_next_child() {
    for accepts in [false, true] {
        run(async move {
            let (dir, listener, harness) = listening();
            let mut old = harness.upstream();
            let mut client = harness.client();
            send(&mut client, ASK).await;
            let first = asked(&mut old).await;
            if accepts {
                drop(old);
                drop(accept(&listener).await);
                harness.model.exit.send_replace(Some(exit_of(GENERATION)));
            } else {
                drop(listener);
                drop(old);
            }
            let next = Generation(GENERATION.0 + 1);
            let path = dir.path().join("next.sock");
            let listener = UnixListener::bind(&path).unwrap();
            // The runtime has a child ready before it opens the gate.
            harness.model.endpoint.send_replace(Some(Endpoint {
                generation: next,
                address: Address::Unix(path),
                processes: None,
                keeps_contexts: false,
            }));
            harness.model.gate.open_for_tests(next);
            let mut fresh = accept(&listener).await;
            assert_eq!(asked(&mut fresh).await, first);
            if accepts {
                // The request reaches no third child.
                drop(fresh);
                harness.model.exit.send_replace(Some(exit_of(next)));
                let answer = head(&mut client).await;
                assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
                return;
            }
            fresh.write_all(OK.as_bytes()).await.unwrap();
            let answer = head(&mut client).await;
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        });
    }
}

fn exit_of(generation: Generation) -> ChildExit {
    ChildExit {
        generation,
        message: "it was killed by SIGKILL".into(),
    }
}

#[test]
fn a_request_that_is_not_sent_again_learns_how_its_child_ended() {
    run(async {
        let (_dir, listener, harness) = listening();
        let mut client = harness.client();
        send(&mut client, ASK).await;
        let mut fresh = accept(&listener).await;
        asked(&mut fresh).await;
        drop(fresh);
        harness.model.exit.send_replace(Some(exit_of(GENERATION)));
        let answer = head(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
        assert!(answer.contains("upstream_closed"), "{answer}");
        let mut body = [0; 120];
        let read = client.read(&mut body).await.unwrap();
        let body = String::from_utf8_lossy(&body[..read]);
        assert!(body.contains("it was killed by SIGKILL"), "{body}");
    });
}

#[test]
fn it_is_sent_again_only_once() {
    run(async {
        let (_dir, listener, harness) = listening();
        let mut old = harness.upstream();
        let mut client = harness.client();
        send(&mut client, ASK).await;
        asked(&mut old).await;
        drop(old);
        let mut fresh = accept(&listener).await;
        asked(&mut fresh).await;
        drop(fresh);
        let answer = head(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
        assert!(answer.contains("upstream_closed"), "{answer}");
    });
}

/// The child may have begun to work on the request.
#[test]
fn a_request_on_a_fresh_connection_is_never_sent_again() {
    run(async {
        let (_dir, listener, harness) = listening();
        let mut client = harness.client();
        send(&mut client, ASK).await;
        let mut fresh = accept(&listener).await;
        asked(&mut fresh).await;
        drop(fresh);
        let answer = head(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
        assert!(answer.contains("upstream_closed"), "{answer}");
    });
}

#[test]
fn a_request_whose_answer_has_begun_or_whose_bytes_are_gone_is_not_sent_again() {
    run(async {
        let (_dir, _listener, harness) = listening();
        let mut old = harness.upstream();
        let mut client = harness.client();
        send(&mut client, ASK).await;
        asked(&mut old).await;
        send(&mut old, "HTTP/1.1 200 OK\r\nContent-").await;
        drop(old);
        let answer = head(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");

        let mut old = harness.upstream();
        // The head comes first, and the body once the head has been read.
        let mut client = harness.client();
        let (ask, again) = ASK.split_at(ASK.len() - "again".len());
        send(&mut client, ask).await;
        sleep(Duration::from_millis(1)).await;
        send(&mut client, again).await;
        head(&mut old).await;
        let mut body = [0; 5];
        old.read_exact(&mut body).await.unwrap();
        drop(old);
        let answer = head(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    });
}
