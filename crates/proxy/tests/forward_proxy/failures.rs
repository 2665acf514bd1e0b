//! Errors that a caller gets when the child does not answer.

use crate::support::{Child, KINDS, Kind, Mounted, run};
use axum::body::Body;
use axum::http::Request;
use paddock_proxy::{EngineError, ForwardProxy, InferenceCause, Upstream};
use std::error::Error;
use std::io;

fn ask() -> Request<Body> {
    Request::get("/props").body(Body::empty()).unwrap()
}

/// Returns two addresses where no process listens, and the system's errors for them.
fn nobody() -> [(Upstream, io::ErrorKind); 2] {
    [
        (
            "http://127.0.0.1:1".parse().unwrap(),
            io::ErrorKind::ConnectionRefused,
        ),
        (
            Upstream::unix("/proc/nonexistent/child.sock"),
            io::ErrorKind::NotFound,
        ),
    ]
}

/// Returns the error and its causes.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

#[test]
fn an_unreachable_child_is_a_typed_error_down_to_the_systems_own() {
    for (upstream, kind) in nobody() {
        run(async {
            let error = ForwardProxy::new(upstream.clone())
                .forward(ask())
                .await
                .unwrap_err();
            let EngineError::Inference {
                upstream: named,
                source: InferenceCause::Connect(_),
            } = &error
            else {
                panic!("{error:?}");
            };
            assert_eq!(*named, upstream);
            assert!(error.to_string().contains(&upstream.to_string()), "{error}");
            assert!(error.source().unwrap().is::<InferenceCause>());
            let system = chain(&error).find_map(|cause| cause.downcast_ref::<io::Error>());
            assert_eq!(system.unwrap().kind(), kind);
        });
    }
}

#[test]
fn a_child_that_closes_without_an_answer_is_a_typed_error() {
    for kind in KINDS {
        run(async {
            let child = Child::listen(kind).await;
            let proxy = ForwardProxy::new(child.upstream.clone());
            let closing = async { child.accept().await.head().await };
            let (answered, _) = tokio::join!(proxy.forward(ask()), closing);
            let error = answered.unwrap_err();
            let EngineError::Inference {
                source: InferenceCause::Exchange(_),
                ..
            } = &error
            else {
                panic!("{error:?}");
            };
            assert!(chain(&error).count() > 2, "{error:?}");
        });
    }
}

async fn assert_502(mounted: &Mounted, kind: &str, serving: impl Future<Output = ()>) {
    let mut client = mounted.connect().await;
    client.send("GET /props HTTP/1.1\r\nHost: h\r\n\r\n").await;
    serving.await;
    let head = client.head().await;
    assert_eq!(head.first, "HTTP/1.1 502 Bad Gateway");
    assert_eq!(head.value("x-paddock-error"), Some(kind));
    assert_eq!(head.value("content-type"), Some("application/json"));
    let body: serde_json::Value = serde_json::from_slice(&client.body(&head).await).unwrap();
    let error = &body["error"];
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("did not respond"),
        "{body}"
    );
    assert_eq!(error["type"], "server_error");
    assert_eq!(error["code"], kind);
    assert!(error["param"].is_null());
}

#[test]
fn an_unreachable_child_is_a_502() {
    for (upstream, _) in nobody() {
        run(async {
            let mounted = Mounted::of(upstream).await;
            assert_502(&mounted, "upstream_unreachable", async {}).await;
        });
    }
}

#[test]
fn a_child_that_gives_no_answer_is_a_502() {
    for answer in ["", "SSH-2.0-OpenSSH_9.2\r\n"] {
        run(async {
            let child = Child::listen(Kind::Unix).await;
            let mounted = Mounted::of(child.upstream.clone()).await;
            let serving = async {
                let mut wire = child.accept().await;
                wire.head().await;
                wire.send(answer).await;
            };
            assert_502(&mounted, "upstream_closed", serving).await;
        });
    }
}
