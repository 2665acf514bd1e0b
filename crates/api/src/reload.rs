use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The response to `POST /api/reload`: the changes that were applied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReloadResult {
    /// Models that were added.
    pub added: Vec<String>,
    /// Configuration keys that changed and take effect at the next start of paddock.
    pub at_next_start: Vec<String>,
    /// Models whose configuration changed.
    pub changed: Vec<String>,
    /// API keys that changed.
    pub keys: KeyChanges,
    /// Models that were removed.
    pub removed: Vec<String>,
}

/// Changes of API keys, by their names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyChanges {
    /// API keys that were added.
    pub added: Vec<String>,
    /// API keys whose settings changed.
    pub changed: Vec<String>,
    /// API keys that were removed.
    pub removed: Vec<String>,
}
