//! Settings of `[context_cache]`: the store of contexts, conversations that paddock keeps when their model is unloaded.

use std::path::PathBuf;
use std::time::Duration;

use super::Config;

/// Name of the default directory of the store, in the state directory.
const DEFAULT_DIRECTORY: &str = "contexts";

/// Settings of the context store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextCache {
    /// Directory of the store; `None` for the default directory.
    pub dir: Option<PathBuf>,
    /// Maximum size of all contexts together, in bytes; with 0, no context is kept.
    pub quota: u64,
    /// Maximum time since the last use of a context (its save, or a request that continued it).
    pub max_age: Duration,
    /// True if contexts of models with a sliding window are kept. Their slot files must be extended.
    pub sliding_windows: bool,
    /// Path of the key file for the encryption of contexts; `None` to store them in plain text.
    pub encryption_key_file: Option<PathBuf>,
}

impl Default for ContextCache {
    fn default() -> Self {
        Self {
            dir: None,
            quota: 8 << 30,
            max_age: Duration::from_hours(30 * 24),
            sliding_windows: true,
            encryption_key_file: None,
        }
    }
}

impl Config {
    /// Returns the directory of the context store.
    pub fn context_dir(&self) -> PathBuf {
        let dir = self.context_cache.dir.clone();
        dir.unwrap_or_else(|| self.server.state_dir.join(DEFAULT_DIRECTORY))
    }
}
