//! `paddock completions`: prints a completion script for a shell.

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use super::Cli;
use crate::exit::Exit;
use crate::output;

/// Flags of `paddock completions`.
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell.
    shell: Shell,
}

/// Prints a completion script.
pub(super) fn run(args: &CompletionsArgs) -> Exit {
    let mut script = Vec::new();
    generate(args.shell, &mut Cli::command(), "paddock", &mut script);
    output::print_bytes(&script);
    Exit::Done
}
