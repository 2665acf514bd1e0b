//! `paddock config`: prints an example or the schema of the configuration file.

use clap::{Args, Subcommand};
use paddock_server::config;

use crate::exit::Exit;
use crate::output;

/// Subcommands of `paddock config`.
#[derive(Debug, Args)]
pub(super) struct ConfigCommand {
    #[command(subcommand)]
    subcommand: ConfigSubcommand,
}

#[derive(Debug, Subcommand)]
enum ConfigSubcommand {
    /// Print an example file with every configuration key, its default and its meaning.
    Example,
    /// Print the JSON Schema of the configuration file, for editors.
    Schema,
}

/// Runs a subcommand.
pub(super) fn run(command: &ConfigCommand) -> Exit {
    output::print(&match command.subcommand {
        ConfigSubcommand::Example => config::example(),
        ConfigSubcommand::Schema => config::schema(),
    });
    Exit::Done
}
