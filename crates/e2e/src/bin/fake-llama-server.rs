//! Runs the fake `llama-server` of the tests, which loads no model: see [`paddock_e2e::fake`].

use std::process::ExitCode;

fn main() -> ExitCode {
    paddock_e2e::fake::run(std::env::args().skip(1))
}
