//! Ends this process before `main` returns: by exit, signal or abort.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, Signal, getpid, kill_process, setrlimit};

use super::clock;

/// Ends the process from any thread, as `exit(code)` does in the real server.
#[expect(
    clippy::exit,
    clippy::disallowed_methods,
    reason = "the real server exits from its signal handler and from its stdin thread"
)]
pub(super) fn leave(code: i32) -> ! {
    std::process::exit(code)
}

/// Ends the process by a signal with its default action, as a fault does.
pub(super) fn by_signal(signal: Signal) -> ! {
    leave_no_core();
    loop {
        // Rust's SIGSEGV handler restores the default action at the first signal without a stack
        // overflow; the next signal ends the process.
        let _ = kill_process(getpid(), signal);
        clock::sleep(Duration::from_millis(2));
    }
}

/// Ends the process as `GGML_ABORT` and failed assertions do.
pub(super) fn abort() -> ! {
    leave_no_core();
    std::process::abort()
}

/// Disables the core dump of this process, whose death is intended.
fn leave_no_core() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let _ = setrlimit(Resource::Core, none);
}
