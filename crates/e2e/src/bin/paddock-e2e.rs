//! Runs the command `paddock` under another name, so that end-to-end tests have its executable.

use std::process::ExitCode;

fn main() -> ExitCode {
    paddock::main()
}
