//! The staging directory of a child, and the identity of its contexts.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use paddock_contexts::Costs;

use crate::load_history::{ArgumentsHash, LoadKey};

/// Version of the store's format. Contexts of other versions are never restored.
const FORMAT_VERSION: &str = "1";

/// The contexts of one child.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ChildContexts {
    /// Identity of model files, arguments, environment and engine. A context is valid only for a load with the same
    /// identity: the engine also accepts a file of other weights with the same shape, and then answers wrongly.
    pub(crate) identity: String,
    /// The child's own staging directory.
    pub(crate) staging: PathBuf,
    /// Size limit of the child's prompt cache, in bytes.
    pub(crate) cache_bytes: u64,
    /// True if conversations of models with a sliding window are saved.
    pub(crate) saves_windows: bool,
    /// True if a child of the same identity has continued an extended window like the child that saved it.
    pub(crate) is_window_checked: bool,
    /// Costs that earlier children of this identity have measured, otherwise a prediction.
    pub(crate) costs: Costs,
}

impl ChildContexts {
    /// Returns the arguments that enable the child's slot routes. llama-server joins directory and file name without a
    /// separator, so the directory ends in a slash.
    pub(crate) fn args(&self) -> [OsString; 2] {
        let mut directory = self.staging.clone().into_os_string();
        directory.push("/");
        ["--slot-save-path".into(), directory]
    }
}

/// Computes the identity of a load, for which contexts are valid.
pub(crate) fn context_identity(key: &LoadKey, env: &BTreeMap<String, String>) -> String {
    let variables = env.iter().flat_map(|(name, value)| [name, value]);
    let environment = ArgumentsHash::from_args(variables);
    let parts = [
        key.file.as_str(),
        key.arguments.as_str(),
        key.engine.as_str(),
        environment.as_str(),
        FORMAT_VERSION,
    ];
    parts.join("-")
}
