//! The JSON of contexts: conversations that paddock keeps when their model is unloaded.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The contexts of a model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelContexts {
    /// Reason why contexts are not kept; null if they are kept, or before the first load.
    #[schema(required)]
    pub not_kept: Option<String>,
    /// Result of restoring contexts after the last load; null before the first load that keeps contexts.
    #[schema(required)]
    pub last_restore: Option<ContextRestore>,
    /// Stored contexts, and counts since paddock started.
    #[serde(flatten)]
    pub counts: ContextCounts,
}

/// Contexts in the store, and counts since paddock started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ContextCounts {
    /// Contexts in the store.
    #[schema(required)]
    pub stored: u64,
    /// Size of the contexts in the store, in bytes.
    #[schema(required)]
    pub bytes: u64,
    /// Completed saves. A conversation that grows is saved again.
    #[schema(required)]
    pub saved: u64,
    /// Failed saves.
    #[schema(required)]
    pub save_failures: u64,
    /// Contexts restored after loads.
    #[schema(required)]
    pub restored: u64,
    /// Contexts that could not be restored.
    #[schema(required)]
    pub restore_failures: u64,
    /// Contexts deleted because of the quota or their age.
    #[schema(required)]
    pub deleted: u64,
    /// Restored contexts that a request has continued.
    #[schema(required)]
    pub hits: u64,
    /// Prompt tokens that those requests did not read again.
    #[schema(required)]
    pub tokens_reused: u64,
    /// Estimated time that reading those tokens would have taken.
    #[schema(required, minimum = 0)]
    pub seconds_saved: f64,
}

/// The result of restoring contexts after a load.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ContextRestore {
    /// Time at which the restore ended, in seconds since 1970.
    pub at: f64,
    /// Contexts in the store that were valid for the load.
    pub found: u64,
    /// Number of restored contexts.
    pub contexts: u64,
    /// Tokens of the restored contexts.
    pub tokens: u64,
    /// Size of the restored contexts, in bytes.
    pub bytes: u64,
    /// Tokens of the longest restored context.
    pub longest: u64,
    /// Contexts that could not be restored.
    pub failures: u64,
    /// Duration of the restore.
    #[schema(minimum = 0)]
    pub seconds: f64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Model, Status};

    #[test]
    fn a_status_of_an_earlier_version_is_read_without_contexts() {
        let mut model = serde_json::to_value(Model::default()).unwrap();
        assert_eq!(model["contexts"]["stored"], 0, "the counts are members");
        let members = model.as_object_mut().unwrap();
        members.remove("contexts");
        let earlier: Model = serde_json::from_value(model).unwrap();
        assert_eq!(earlier, Model::default());
        let status = r#"{"models":[],"version":"0.1.0"}"#;
        let status: Status = serde_json::from_str(status).unwrap();
        assert_eq!(status.contexts, None);
    }

    #[test]
    fn an_unknown_count_of_a_later_version_is_ignored() {
        let later = r#"{"not_kept":null,"last_restore":null,"stored":3,"forgotten":1}"#;
        let contexts: ModelContexts = serde_json::from_str(later).unwrap();
        assert_eq!(contexts.counts.stored, 3);
    }
}
