use crate::support::{engine, ok, plain, ready, small};
use paddock_e2e::harness::{LIMIT, Signal, now, post, wait_until};
use std::time::Duration;

const ASK: &str = r#"{"prompt":"a","n_predict":2}"#;

#[test]
fn an_engine_that_is_killed_is_back_by_itself() {
    let paddock = ready(small());
    let first = paddock.child();
    let mut stream = paddock.connect();
    let body = r#"{"messages":[{"role":"user","content":"a"}],"max_tokens":100000,"stream":true}"#;
    stream.send(post("/v1/chat/completions", body));
    stream.head();
    stream.event().expect("an event");
    first.signal(Signal::KILL);
    let (events, clean) = stream.events();
    assert!(!clean);
    let last = events.last().expect("an error").data();
    assert!(last.contains(r#""code":"upstream_closed""#), "{last}");
    // Until the system has closed all that it held, the old one can still be reached.
    assert_ne!(paddock.child(), first);
    ok(paddock.post("/completion", ASK));
}

#[test]
fn a_stop_with_an_idle_engine_is_quick_and_clean() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut paddock = ready(small());
        ok(paddock.post("/completion", ASK));
        let child = paddock.child();
        let begun = now();
        let status = paddock.stop(signal);
        let time = begun.elapsed();
        println!("stopped in {time:?}");
        assert!(status.success(), "{status}");
        assert!(!child.is_alive());
        assert!(time < Duration::from_secs(5), "{time:?}");
    }
}

/// The engine is started as people start it, since then its load takes longest.
#[test]
fn an_engine_that_loads_goes_with_a_paddock_that_is_killed() {
    let mut paddock = plain().engine_args(["--threads", "1"]).start();
    let child = paddock.child();
    let line = format!("{} ", engine().display());
    assert!(
        paddock
            .processes()
            .iter()
            .any(|(_, words)| words.starts_with(&line))
    );
    assert!(
        !paddock.stderr().contain("model loaded"),
        "it has loaded already"
    );
    let begun = now();
    paddock.kill9();
    wait_until(LIMIT, "the end of the engine", || !child.is_alive());
    let time = begun.elapsed();
    println!("gone after {time:?}");
    assert!(time < Duration::from_secs(1), "{time:?}");
    assert!(paddock.processes().is_empty());
}
