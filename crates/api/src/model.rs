//! The JSON of a configured model: state, memory, sandbox and failures.

use crate::{Memory, ModelContexts};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A configured model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Model {
    /// Other names of the model.
    pub aliases: Vec<String>,
    /// The model's contexts: conversations that paddock keeps when it unloads the model.
    #[serde(default)]
    #[schema(required)]
    pub contexts: ModelContexts,
    /// Reason for a failure to load the model, or for the exit of its last child; null without a failure.
    #[schema(required)]
    pub failure: Option<LoadFailure>,
    /// Name of the model.
    pub id: String,
    /// Number of requests that the model is serving.
    pub in_flight: u64,
    /// Memory of the model.
    pub memory: ModelMemory,
    /// Process id of the child; null without one.
    #[schema(required)]
    pub pid: Option<u32>,
    /// True if the model is neither evicted nor unloaded when idle.
    pub pinned: bool,
    /// Progress of the load, from 0 to 1; null if unknown, or if the model is neither loading nor ready.
    #[schema(required)]
    pub progress: Option<f64>,
    /// Number of requests that wait in paddock's queue.
    pub queued: u64,
    /// Number of children started after the first; null before the first.
    #[schema(required)]
    pub restarts: Option<u64>,
    /// Seconds until paddock tries to start the model again; null if no attempt is due.
    #[schema(required)]
    pub retry_after: Option<f64>,
    /// Sandbox of the child.
    pub sandbox: Sandbox,
    /// Seconds since the model began to load, or since it has been ready; null in other states.
    #[schema(required)]
    pub since: Option<f64>,
    /// Status of the model.
    pub status: ModelStatus,
    /// Reasons to suspect that the child is hung or broken; null if there are none.
    #[schema(required)]
    pub suspicion: Option<String>,
    /// Requests in flight that wait inside the child for a slot; null if the number of slots is unknown.
    #[schema(required)]
    pub waiting_in_engine: Option<WaitingInEngine>,
}

/// The status of a model: `unloaded`: not in memory; `loading`: waits for memory, or its child is starting; `ready`:
/// serves requests; `draining`: is being unloaded; `failed`: cannot be loaded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelStatus {
    /// The model is not in memory.
    #[default]
    Unloaded,
    /// The model waits for memory, or its child is starting.
    Loading,
    /// The model serves requests.
    Ready,
    /// The model is being unloaded.
    Draining,
    /// The model cannot be loaded.
    Failed,
    /// A status that a later version of paddock has added.
    #[serde(other, skip_serializing)]
    Unknown,
}

impl ModelStatus {
    /// Returns the word for the status.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unloaded => "unloaded",
            Self::Loading => "loading",
            Self::Ready => "ready",
            Self::Draining => "draining",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

/// The memory of a model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ModelMemory {
    /// Memory measured right after the load; null if the model was not measured.
    #[schema(required)]
    pub measured: Option<Memory>,
    /// Memory predicted from the model's header, including its prompt cache; null if it cannot be predicted.
    #[schema(required)]
    pub predicted: Option<Memory>,
    /// Bytes that the model's prompt cache may fill, part of the memory counted for the model; null if unknown.
    #[schema(required)]
    pub prompt_cache: Option<u64>,
}

/// The sandbox of a child: each part is true if it is in effect.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each part is in effect or not, independently of the others"
)]
pub struct Sandbox {
    /// The child can use only files that were granted.
    pub files: bool,
    /// The child cannot dump core, and its number of open files is limited.
    pub limits: bool,
    /// The child cannot change the mode, owner, times or attributes of files.
    pub metadata: bool,
    /// The child can use only sockets of its machine, and TCP only as far as granted.
    pub network: bool,
    /// Programs that the child runs cannot gain privileges.
    pub no_new_privileges: bool,
    /// Flags and variables of the configuration that relaxed parts of the sandbox.
    pub opened_by: Vec<String>,
    /// The child is killed when paddock exits.
    pub parent_death: bool,
    /// The child cannot set limits or priorities of other processes, or trace processes outside the sandbox.
    pub processes: bool,
    /// The child can set the processors and the scheduling class only of its own first thread.
    pub scheduling: bool,
    /// The child cannot signal processes outside the sandbox, or connect to abstract sockets there.
    pub scope: bool,
}

/// The reason for a failure to load a model, or for the exit of its child.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LoadFailure {
    /// Class of the failure, such as `out_of_memory`.
    pub class: String,
    /// Exit of the child, such as `exit code 1`; null if the child was never started, or if paddock killed it
    /// because it made no progress while starting, hung, or kept returning errors.
    #[schema(required)]
    pub exit: Option<String>,
    /// The last lines that the child wrote.
    pub log_tail: Vec<String>,
    /// The cause, and how to fix it.
    pub message: String,
    /// Phase in which the child failed.
    #[schema(pattern = "^(spawning|starting|serving)$")]
    pub phase: String,
    /// Number of restarts left before paddock stops restarting the child.
    pub restarts_left: u32,
    /// Time of the next start, in seconds since 1970; null if a restart cannot help.
    #[schema(required)]
    pub retry_at: Option<f64>,
}

/// The requests that wait inside a child for a slot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WaitingInEngine {
    /// Estimated number of these requests.
    pub estimated: u64,
    /// Time that the first of them has waited.
    #[schema(minimum = 0)]
    pub longest_seconds: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_of_a_later_version_is_unknown() {
        for (text, status) in [
            ("unloaded", ModelStatus::Unloaded),
            ("loading", ModelStatus::Loading),
            ("ready", ModelStatus::Ready),
            ("draining", ModelStatus::Draining),
            ("failed", ModelStatus::Failed),
        ] {
            assert_eq!(serde_json::to_value(status).unwrap(), text);
            assert_eq!(
                serde_json::from_value::<ModelStatus>(text.into()).unwrap(),
                status
            );
            assert_eq!(status.as_str(), text);
        }
        let later = serde_json::from_value::<ModelStatus>("later".into());
        assert_eq!(later.unwrap(), ModelStatus::Unknown);
    }
}
