//! The command `paddock`, under a name of its own, so that tests of the whole have it at hand.

use std::process::ExitCode;

fn main() -> ExitCode {
    paddock::main()
}
