//! The exec shim as a program of its own, for this crate's tests and for programs that embed the crate without
//! a hidden command for it.

use std::process::ExitCode;

use paddock_supervisor::shim;

fn main() -> ExitCode {
    let Err(error) = shim::run(std::env::args_os().skip(1)) else {
        return ExitCode::SUCCESS;
    };
    #[expect(
        clippy::print_stderr,
        reason = "stderr is the supervisor's way to learn of the failure"
    )]
    {
        eprintln!("{error}");
    }
    ExitCode::from(error.exit_code())
}
