//! Reasons why `paddock run` ends without an answer.

use std::io;
use std::path::PathBuf;

use paddock_models::SourceError;
use paddock_server::config::Problems;

use crate::admin::CommandError;
use crate::engine_install::EngineInstallError;
use crate::exit::Exit;
use crate::model_pull::PullError;

/// A reason why `paddock run` ends without an answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum RunError {
    /// MODEL is mistyped.
    #[error("{0}\n  = help: {help}", help = .0.help())]
    Source(#[from] SourceError),
    /// MODEL is a path of no file.
    #[error("there is no file {0}")]
    NoFile(String),
    /// MODEL is no name of a model.
    #[error(
        "there is no model `{0}`\n  = help: give a file, hf:USER/REPO, a URL, or a name of the configuration file"
    )]
    UnknownName(String),
    /// The configuration file has problems.
    #[error("{0}")]
    Config(#[from] Problems),
    /// No variable tells where models are.
    #[error("no directory for models is known: HOME is not set\n  = help: set HOME or HF_HOME")]
    NoDirectories,
    /// The path of a file cannot be written into a configuration.
    #[error("the path {} is not UTF-8 text", .0.display())]
    NotText(PathBuf),
    /// The model cannot be downloaded.
    #[error(transparent)]
    Pull(#[from] PullError),
    /// No engine can be installed.
    #[error("{0}{help}", help = .0.help().map(|help| format!("\n  = help: {help}")).unwrap_or_default())]
    Engine(#[from] EngineInstallError),
    /// The paddock of this command has ended.
    #[error("paddock could not start:\n{0}")]
    Ended(String),
    /// The paddock of this command cannot be started.
    #[error("cannot start paddock: {0}")]
    Spawn(#[from] io::Error),
    /// A request to paddock failed.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl RunError {
    /// Returns the exit code.
    pub(super) fn exit_code(&self) -> Exit {
        match self {
            Self::Source(_) | Self::NoFile(_) | Self::UnknownName(_) => Exit::Usage,
            Self::Config(_) => Exit::Config,
            Self::Pull(error) => error.exit_code(),
            Self::Command(error) => error.exit_code(),
            _ => Exit::Failed,
        }
    }
}
