//! Runs trial loads: the engine begins to load files that it has never loaded, before another model is evicted for
//! them.
//!
//! llama-server reads the metadata, the vocabulary and the list of tensors before it allocates memory for them, and
//! refuses what it cannot load within about 50 ms (llama.cpp b11434, src/llama.cpp, `llama_model_load`). A trial is
//! a separate llama-server process that is killed as soon as it has passed that point. It uses no device and maps the
//! file, so it uses little memory.

mod refusal;
mod trial_spec;

use self::refusal::{TrialProgress, inspection_after_trial};
use super::inspection::{InspectionResult, ModelInspection};
use paddock_supervisor::{Failure, Instance, InstanceSpec, Spawner};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
pub(super) use trial_spec::trial_spec;

/// Maximum number of concurrent trials.
pub(super) const MAX_TRIALS: usize = 2;

/// Longest time until a trial begins to read its file; loading GPU drivers may be slow.
const READ_START_TIMEOUT: Duration = Duration::from_secs(3);

/// Longest time from the start of reading to a refusal. A file that was not refused by then counts as loadable.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(1);

/// The inputs of one trial.
pub(super) struct TrialLoad {
    pub(super) inspection: Arc<ModelInspection>,
    pub(super) spec: InstanceSpec,
    pub(super) spawner: Spawner,
    pub(super) tasks: TaskTracker,
    /// Limits concurrent trials.
    pub(super) permits: Arc<Semaphore>,
    /// Cancelled when the actor ends.
    pub(super) cancelled: CancellationToken,
}

impl TrialLoad {
    /// Tries the files. The result is the model's inspection with proven files, or the engine's refusal.
    pub(super) async fn run(self) -> InspectionResult {
        let refusal = self.run_child().await;
        inspection_after_trial(&self.inspection, refusal)
    }

    /// Returns the engine's reason if it cannot load the files. Ends early if the actor ends.
    async fn run_child(&self) -> Option<Arc<Failure>> {
        let _permit = tokio::select! {
            permit = self.permits.acquire() => permit.ok()?,
            () = self.cancelled.cancelled() => return None,
        };
        let instance = Instance::start(self.spec.clone(), &self.spawner, &self.tasks);
        let failure = tokio::select! {
            failure = wait_for_refusal(&instance) => failure,
            () = self.cancelled.cancelled() => None,
        };
        instance.kill().await;
        failure
    }
}

/// Waits until the engine refuses the files or has passed the point of refusal.
async fn wait_for_refusal(instance: &Instance) -> Option<Arc<Failure>> {
    let mut states = instance.watch();
    let mut deadline = Instant::now() + READ_START_TIMEOUT;
    let mut is_reading = false;
    loop {
        match TrialProgress::from_state(&states.borrow_and_update()) {
            TrialProgress::Starting => {}
            TrialProgress::Reading if is_reading => {}
            TrialProgress::Reading => {
                is_reading = true;
                deadline = Instant::now() + REFUSAL_TIMEOUT;
            }
            TrialProgress::Refused(failure) => return Some(failure),
            TrialProgress::Accepted => return None,
        }
        match timeout_at(deadline, states.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return None,
        }
    }
}
