//! The command `paddock`.

use std::process::ExitCode;

fn main() -> ExitCode {
    paddock::main()
}
