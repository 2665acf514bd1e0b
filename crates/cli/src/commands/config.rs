//! `paddock config`.

use clap::{Args, Subcommand};
use paddock_server::config;

use crate::exit::Exit;
use crate::output;

/// What of the configuration's format is printed.
#[derive(Debug, Args)]
pub(super) struct ConfigCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print a file with every key, its default and what it means.
    Example,
    /// Print the JSON Schema of the file, for editors.
    Schema,
}

/// Prints it.
pub(super) fn run(command: &ConfigCommand) -> Exit {
    output::text(&match command.what {
        What::Example => config::example(),
        What::Schema => config::schema(),
    });
    Exit::Done
}
