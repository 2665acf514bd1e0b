//! `paddock key`.

mod list;
mod new;
mod revoke;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use paddock_server::config::{Config, Overrides, key_name_error};

use super::examples;
use crate::exit::Exit;
use crate::{config_file, output, service};

/// What is done with API keys.
#[derive(Debug, Args)]
pub(super) struct KeyCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a key: print its secret once, and the section for the configuration with its hash.
    #[command(after_help = examples::KEY_NEW)]
    New(new::NewArgs),
    /// Print the keys of the configuration, with what they allow.
    #[command(after_help = examples::KEY_LIST)]
    List(list::ListArgs),
    /// Take a key out of the configuration file; all else in it stays as it is.
    #[command(after_help = examples::KEY_REVOKE)]
    Revoke(revoke::RevokeArgs),
}

/// The file that is read, and changed.
#[derive(Debug, Args)]
struct FileArgs {
    /// The configuration file.
    ///
    /// Without it the first of `./paddock.toml`, `$XDG_CONFIG_HOME/paddock/paddock.toml` and
    /// `/etc/paddock/paddock.toml` that is there.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Does it.
pub(super) fn run(command: KeyCommand) -> Exit {
    match command.what {
        What::New(args) => new::run(&args),
        What::List(args) => list::run(&args),
        What::Revoke(args) => revoke::run(&args),
    }
}

/// Reads a name that a key can have.
fn key_name(text: &str) -> Result<String, String> {
    key_name_error(text).map_or_else(|| Ok(text.to_owned()), Err)
}

impl FileArgs {
    /// The file and its text, or what is said where there is none.
    fn read(&self) -> Result<(PathBuf, String), Exit> {
        match config_file::text(self.config.as_deref()) {
            Ok(Some(found)) => Ok((found.file, found.text)),
            Ok(None) => {
                output::error(
                    "error: there is no configuration file yet\n  = help: name one with --config FILE; \
                     `paddock config example > paddock.toml` makes one",
                );
                Err(Exit::Config)
            }
            Err(problems) => {
                service::report(&problems);
                Err(Exit::Config)
            }
        }
    }
}

/// Reads a file's new text as a configuration. One that paddock would not read again, while it reads the old
/// one, is not for writing: what was meant would not come to be.
fn still_read(file: &Path, old: &str, new: &str) -> Result<Option<Config>, Exit> {
    let read = |text: &str| Config::from_toml(text, file, &Overrides::default());
    match read(new) {
        Ok(config) => Ok(Some(config)),
        Err(_) if read(old).is_err() => Ok(None),
        Err(problems) => {
            service::report(&problems);
            let file = file.display();
            output::error(&format!(
                "paddock would not read {file} again, so nothing was changed"
            ));
            Err(Exit::Config)
        }
    }
}

/// Writes a file's new text in the place of the old one: the file stays who owns it and who may read it.
fn write(file: &Path, text: &str) -> Result<(), Exit> {
    std::fs::write(file, text).map_err(|error| {
        let file = file.display();
        output::error(&format!("error: {file} cannot be written: {error}"));
        Exit::Failed
    })
}
