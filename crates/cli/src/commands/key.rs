//! `paddock key`: edits API keys in the configuration file.

mod list;
mod new;
mod revoke;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use paddock_server::config::{Config, Overrides, key_name_error};

use super::examples;
use crate::exit::Exit;
use crate::{config_file, output, service};

/// Subcommands of `paddock key`.
#[derive(Debug, Args)]
pub(super) struct KeyCommand {
    #[command(subcommand)]
    subcommand: KeySubcommand,
}

#[derive(Debug, Subcommand)]
enum KeySubcommand {
    /// Create a key: print its secret, which is not stored, and the configuration section with its hash.
    #[command(after_help = examples::KEY_NEW)]
    New(new::NewArgs),
    /// List the configured keys and what they allow.
    #[command(after_help = examples::KEY_LIST)]
    List(list::ListArgs),
    /// Remove a key from the configuration file, leaving the rest unchanged.
    #[command(after_help = examples::KEY_REVOKE)]
    Revoke(revoke::RevokeArgs),
}

/// The flag that names the configuration file.
#[derive(Debug, Args)]
struct FileArgs {
    /// Path of the configuration file.
    ///
    /// Default: the first of `./paddock.toml`, `$XDG_CONFIG_HOME/paddock/paddock.toml` and
    /// `/etc/paddock/paddock.toml` that exists.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Runs a subcommand.
pub(super) fn run(command: KeyCommand) -> Exit {
    match command.subcommand {
        KeySubcommand::New(args) => new::run(&args),
        KeySubcommand::List(args) => list::run(&args),
        KeySubcommand::Revoke(args) => revoke::run(&args),
    }
}

/// Parses a key's name.
fn parse_key_name(text: &str) -> Result<String, String> {
    key_name_error(text).map_or_else(|| Ok(text.to_owned()), Err)
}

impl FileArgs {
    /// Reads the file. Prints an error if there is none.
    fn read(&self) -> Result<(PathBuf, String), Exit> {
        match config_file::read_text(self.config.as_deref()) {
            Ok(Some(found)) => Ok((found.file, found.text)),
            Ok(None) => {
                output::print_error(
                    "error: no configuration file found\n  = help: give one with --config FILE, or create one: \
                     paddock config example > paddock.toml",
                );
                Err(Exit::Config)
            }
            Err(problems) => {
                service::print_problems(&problems);
                Err(Exit::Config)
            }
        }
    }
}

/// Parses a file's new text. Fails if the new text is invalid while the old text is valid: a running paddock would
/// refuse the change.
fn check_still_valid(file: &Path, old: &str, new: &str) -> Result<Option<Config>, Exit> {
    let read = |text: &str| Config::from_toml(text, file, &Overrides::default());
    match read(new) {
        Ok(config) => Ok(Some(config)),
        Err(_) if read(old).is_err() => Ok(None),
        Err(problems) => {
            service::print_problems(&problems);
            let file = file.display();
            output::print_error(&format!(
                "{file} was not changed, because the result would be invalid"
            ));
            Err(Exit::Config)
        }
    }
}

/// Overwrites a file in place, which keeps its owner and permissions.
fn write_file(file: &Path, text: &str) -> Result<(), Exit> {
    std::fs::write(file, text).map_err(|error| {
        let file = file.display();
        output::print_error(&format!("error: cannot write {file}: {error}"));
        Exit::Failed
    })
}
