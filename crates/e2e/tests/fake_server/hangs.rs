//! A server that accepts and never answers.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;

use rustix::process::Signal;

use super::support::{Fake, WATCH_TIME, get, stream_of, wait_until};

/// Whether a request gets no byte for a while, nor an end.
fn is_silent(fake: &Fake, request: &str) -> bool {
    let mut stream = UnixStream::connect(fake.socket()).unwrap();
    stream.set_read_timeout(Some(WATCH_TIME)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    loop {
        match stream.read(&mut [0]) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => return read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock),
        }
    }
}

#[test]
fn never_ready() {
    let mut fake = Fake::start_for_router(&["--fake-hang", "ready"]);
    fake.stdout.wait_for("1.0");
    wait_until("the end of the load", || {
        is_silent(&fake, &get("/health")).then_some(())
    });
    assert!(is_silent(&fake, &get("/health")));
    assert!(
        !fake
            .stdout
            .seen
            .iter()
            .any(|line| line.contains("\"ready\""))
    );
    // It still loads, as far as signals go.
    fake.signal(Signal::TERM);
    assert_eq!(fake.exit_signal(), Some(15));
}

#[test]
fn silent_where_inference_is_needed() {
    let fake = Fake::ready(&["--fake-hang", "request"]);
    assert!(is_silent(&fake, &stream_of(3)));
    assert!(is_silent(&fake, &get("/slots")));
    assert_eq!(fake.get("/health").status(), 200);
}

#[test]
fn silent_after_the_first_event() {
    let fake = Fake::ready(&["--fake-hang", "stream", "-np", "2"]);
    let mut connection = fake.connect();
    connection.send(stream_of(3));
    connection.until("token 1 ");
    assert_eq!(fake.busy_slots(), [true, false]);
    assert_eq!(fake.state("streams_open"), 1);
}
