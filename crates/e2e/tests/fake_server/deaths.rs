//! Every ordered death, at every moment and in every way.

use super::support::{Fake, get, stream_of, whole_of};

#[test]
fn at_the_start_in_every_way() {
    for (how, code, signal) in [
        ("exit0", Some(0), None),
        ("exit1", Some(1), None),
        ("kill", None, Some(9)),
        ("segv", None, Some(11)),
        ("abort", None, Some(6)),
    ] {
        let mut fake = Fake::start(&["--fake-die", &format!("start:{how}")]);
        let status = fake.exit();
        assert_eq!(status.code(), code, "{how}");
        assert_eq!(
            std::os::unix::process::ExitStatusExt::signal(&status),
            signal,
            "{how}"
        );
        assert!(!fake.socket().exists());
    }
}

#[test]
fn while_loading() {
    let mut fake = Fake::start(&["--fake-load-ms", "200", "--fake-die", "loading:segv"]);
    assert_eq!(fake.exit_signal(), Some(11));
    assert!(fake.socket().exists());
    assert!(!fake.stderr.all().contains("model loaded"));
}

#[test]
fn when_ready() {
    let mut fake = Fake::start_for_router(&["--fake-die", "ready:exit1"]);
    assert_eq!(fake.exit_code(), Some(1));
    assert!(fake.stdout.all().contains("\"ready\""));
}

#[test]
fn at_the_first_request() {
    let mut fake = Fake::ready(&["--fake-die", "first-request:kill"]);
    assert_eq!(fake.get("/health").status(), 200);
    let mut connection = fake.connect();
    connection.send("POST /tokenize HTTP/1.1\r\nContent-Length: 100\r\n\r\n");
    assert_eq!(connection.rest(), "");
    assert_eq!(fake.exit_signal(), Some(9));
}

#[test]
fn before_the_head_of_a_generation() {
    for request in [stream_of(3), whole_of(3)] {
        let mut fake = Fake::ready(&["--fake-die", "head:abort"]);
        assert_eq!(fake.post("/tokenize", "{}").status(), 200);
        let mut connection = fake.connect();
        connection.send(request);
        assert_eq!(connection.rest(), "");
        assert_eq!(fake.exit_signal(), Some(6));
    }
}

#[test]
fn in_the_middle_of_a_stream() {
    let mut fake = Fake::ready(&["--fake-die", "mid-stream:3:kill"]);
    let mut connection = fake.connect();
    connection.send(stream_of(10));
    let rest = connection.rest();
    assert!(
        rest.contains("token 3 ") && !rest.contains("token 4 "),
        "{rest}"
    );
    assert_eq!(fake.exit_signal(), Some(9));
}

#[test]
fn when_idle() {
    let mut fake = Fake::ready(&["--fake-die", "idle-ms:1000:exit0", "--fake-token-ms", "150"]);
    // Longer than the idle time, and not idle.
    assert_eq!(fake.ask(&whole_of(10)).status(), 200);
    assert_eq!(fake.ask(&get("/health")).status(), 200);
    assert_eq!(fake.exit_code(), Some(0));
}

#[test]
fn an_unknown_death_is_refused() {
    for death in [
        "start",
        "start:badly",
        "never:kill",
        "mid-stream:kill",
        "mid-stream:x:kill",
    ] {
        let mut fake = Fake::start(&["--fake-die", death]);
        assert_eq!(fake.exit_code(), Some(1), "{death}");
        assert!(fake.stderr.all().contains("no such death"));
    }
}
