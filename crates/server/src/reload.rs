//! Another configuration is read and gone on with; an invalid one changes nothing.

use crate::config::{Config, Problems};
use crate::runtime::RuntimeHandle;
use serde_json::Value;
use std::fmt;
use std::fs::Metadata;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Reads the configuration once more.
type Read = Arc<dyn Fn() -> Result<Config, Problems> + Send + Sync>;

/// Where the configuration comes from.
#[derive(Clone)]
pub struct Source {
    read: Read,
    file: Option<PathBuf>,
}

impl Source {
    /// A configuration that this reads, from a file where there is one.
    pub fn new(
        file: Option<PathBuf>,
        read: impl Fn() -> Result<Config, Problems> + Send + Sync + 'static,
    ) -> Self {
        Self {
            read: Arc::new(read),
            file,
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

/// Reloads the configuration of a running service.
#[derive(Debug, Clone)]
pub struct Reloader {
    pub(crate) source: Option<Source>,
    pub(crate) runtime: RuntimeHandle,
}

/// Why the configuration is what it was.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// It was not read from anywhere.
    #[error(
        "paddock was started with a command to wrap, not with a configuration that it could read again"
    )]
    NoSource,
    /// It is not valid.
    #[error("the configuration is not valid, and nothing has changed:\n{0}")]
    Invalid(Problems),
    /// paddock is stopping.
    #[error("paddock is stopping")]
    Stopping,
}

impl Reloader {
    /// Reads the configuration and goes on with it. Says what changed.
    ///
    /// # Errors
    /// It is not valid; nothing has changed.
    pub async fn reload(&self) -> Result<Value, ReloadError> {
        let source = self.source.clone().ok_or(ReloadError::NoSource)?;
        // Reading checks files, which may take a while.
        let read = tokio::task::spawn_blocking(move || (source.read)()).await;
        let config = match read {
            Ok(Ok(config)) => config,
            Ok(Err(problems)) => {
                tracing::error!(%problems, "the configuration is not valid: nothing has changed");
                return Err(ReloadError::Invalid(problems));
            }
            Err(_) => return Err(ReloadError::Stopping),
        };
        let reloaded = self.runtime.reload(config).await;
        let reloaded = reloaded.ok_or(ReloadError::Stopping)?.json();
        tracing::info!(%reloaded, "the configuration was read again");
        Ok(reloaded)
    }

    /// Reloads whenever the file has changed and is quiet again. Never ends by itself.
    pub(crate) async fn watch(self) {
        let Some(file) = self.source.as_ref().and_then(|source| source.file.clone()) else {
            return;
        };
        let state = || std::fs::metadata(&file).ok().as_ref().map(state);
        let mut read = state();
        let mut seen = read;
        loop {
            tokio::time::sleep(LOOK).await;
            let now = state();
            // A file that is gone for a moment is being replaced.
            if now.is_some() && now == seen && now != read {
                read = now;
                // Its problems have been said.
                let _ = self.reload().await;
            }
            seen = now;
        }
    }
}

/// What changes when a file does.
fn state(file: &Metadata) -> (u64, Option<SystemTime>) {
    (file.len(), file.modified().ok())
}
