//! The reasons that a model is not pulled.

use paddock_download::{HttpError, HubError};
use paddock_models::{ChooseError, RepoName};

use crate::exit::Exit;
use crate::threads::TooFewThreads;

/// The reason that a model is not pulled. Messages end with advice if there is any.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PullError {
    /// The hub or a server refuses, or a file cannot be written.
    #[error("{0}{help}", help = format_help(.0.help()))]
    Hub(#[from] HubError),
    /// HTTP cannot be set up.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The repository has no such variant.
    #[error("{repo}: {cause}{help}", help = choose_help(repo, cause))]
    Choose {
        /// The repository.
        repo: RepoName,
        /// Cause.
        cause: ChooseError,
    },
    /// The environment names no directory for models.
    #[error(
        "neither HOME nor HF_HUB_CACHE and XDG_DATA_HOME are set, so there is no directory for models"
    )]
    NoDirectories,
    /// The system grants too few threads.
    #[error(transparent)]
    Threads(#[from] TooFewThreads),
    /// The asynchronous runtime cannot be started.
    #[error(transparent)]
    System(#[from] std::io::Error),
    /// The user interrupted the command.
    #[error("interrupted; what has arrived is kept, and the same command continues")]
    Interrupted,
}

impl PullError {
    pub(crate) fn exit_code(&self) -> Exit {
        match self {
            Self::Interrupted => Exit::Interrupted,
            _ => Exit::Failed,
        }
    }
}

/// Returns advice that helps if the repository has other models.
fn choose_help(repo: &RepoName, cause: &ChooseError) -> String {
    match cause {
        ChooseError::Empty => String::new(),
        ChooseError::Absent { .. } => {
            format!("\n  = help: `paddock pull hf:{repo}` lists what there is")
        }
    }
}

/// Formats advice as the last line of a message.
fn format_help(help: Option<String>) -> String {
    help.map(|help| format!("\n  = help: {help}"))
        .unwrap_or_default()
}
