//! A closed terminal ends a wrapped command, as it would end the command itself; nohup prevents both.

use paddock_e2e::harness::{Paddock, PaddockBuilder, Signal};
use paddock_e2e::paddock;

fn wrapped(builder: PaddockBuilder) -> Paddock {
    let model = builder.model_path().display().to_string();
    let paddock = builder.wrap(["-m", &model, "--port", "0"]);
    paddock.wait_ready();
    paddock
}

#[test]
fn a_closed_terminal_ends_it() {
    let mut paddock = wrapped(paddock!());
    assert!(paddock.stop(Signal::HUP).success());
}

#[test]
fn under_nohup_it_goes_on() {
    let mut paddock = wrapped(paddock!().ignore_hangups());
    let child = paddock.child();
    paddock.signal(Signal::HUP);
    child.signal(Signal::HUP);
    // Either would have ended before it answers.
    for _ in 0..20 {
        assert_eq!(paddock.get("/props").status, 200);
    }
    assert_eq!(paddock.exit_status(), None);
    assert_eq!(paddock.child().number(), child.number());
    assert!(paddock.stop(Signal::TERM).success());
}
