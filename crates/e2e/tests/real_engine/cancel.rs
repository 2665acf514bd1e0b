use crate::support::{busy, ok, ready, small, wait_idle};
use paddock_e2e::harness::{LIMIT, now, post, wait_until};

/// A request that keeps a slot for as long as its context lasts: longer than any test waits.
fn endless(stream: bool) -> String {
    let body = format!(
        r#"{{"prompt":"Once upon a time","n_predict":100000,"ignore_eos":true,"stream":{stream}}}"#
    );
    post("/completion", &body)
}

#[test]
fn a_client_that_leaves_a_stream_frees_its_slot() {
    let paddock = ready(small());
    for _ in 0..3 {
        let mut client = paddock.connect();
        client.send(endless(true));
        assert_eq!(client.head().status, 200);
        client.event().expect("an event");
        assert_eq!(busy(&paddock), [true]);
        let left = now();
        drop(client);
        wait_idle(&paddock);
        println!("idle {:?} after the client left", left.elapsed());
    }
    assert_eq!(paddock.model()["in_flight"], 0);
}

/// The engine looks for a client that left once a second, and only while nothing wakes it: so
/// nobody looks at its slots here, and the next request shows that the only one is free.
#[test]
fn a_client_that_leaves_before_its_answer_frees_its_slot_as_soon_as_the_engine_can() {
    let paddock = ready(small());
    let mut client = paddock.connect();
    client.send(endless(false));
    wait_until(LIMIT, "a busy slot", || busy(&paddock) == [true]);
    let left = now();
    drop(client);
    let next = paddock.post("/completion", r#"{"prompt":"a","n_predict":1}"#);
    assert_eq!(ok(next).json()["tokens_predicted"], 1);
    println!(
        "answered the next {:?} after the client left",
        left.elapsed()
    );
}
