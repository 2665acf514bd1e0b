//! Runs the exec shim as a separate program. The shim applies a child's sandbox to itself and then replaces itself
//! with the child's program (execve), which keeps the process id.
//!
//! `paddock` contains the shim as a hidden command. This program is for this crate's tests, and for programs that use
//! the crate without such a command.

use std::process::ExitCode;

use paddock_supervisor::shim;

/// Runs the shim. A successful exec never returns; `run` returns `Ok` only for the argument `watch`, with which the
/// process waits for paddock's end and then kills what paddock's children have left.
fn main() -> ExitCode {
    let Err(error) = shim::run(std::env::args_os().skip(1)) else {
        return ExitCode::SUCCESS;
    };
    #[expect(
        clippy::print_stderr,
        reason = "the supervisor reads the failure from stderr"
    )]
    {
        eprintln!("{error}");
    }
    ExitCode::from(error.exit_code())
}
