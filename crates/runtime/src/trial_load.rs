//! Trial loads: the engine begins to load files that were never loaded before, before another model is evicted for
//! them.
//!
//! llama-server reads the metadata, the vocabulary and the list of tensors before it allocates memory for them, and
//! refuses what it cannot load within about 50 ms (llama.cpp b11434, src/llama.cpp, `llama_model_load`). A trial is
//! a separate child that is killed as soon as it has passed that point. It uses no device and maps the file, so it
//! uses little memory.

use super::inspection::{InspectionResult, ModelInspection};
use super::model_knowledge::FailedLoad;
use crate::engine_probe::Engine;
use paddock_admission::error::LoadFailure;
use paddock_scheduler::Demand;
use paddock_supervisor::{
    Failure, FailureClass, InferenceErrors, Instance, InstanceSpec, Logs, RestartPolicy, Spawner,
    StallTracker, State,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Maximum number of concurrent trials.
pub(super) const MAX_TRIALS: usize = 2;

/// Longest time until a trial begins to read its file; drivers may be slow.
const READ_START_TIMEOUT: Duration = Duration::from_secs(3);

/// Longest time after that. The contents of a file that was not refused by then are accepted.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(1);

/// First generation of trials, which name the directories of their sockets; no child of a model reaches it.
const FIRST_GENERATION: u64 = 1 << 40;

/// Arguments that override the model's (the last occurrence of a flag counts): no device, no buffers as large as
/// the model, and a small context, which is allocated last.
const TRIAL_ARGS: [&str; 11] = [
    "--device",
    "none",
    "--split-mode",
    "layer",
    "--load-mode",
    "mmap",
    "--no-warmup",
    "--ctx-size",
    "256",
    "--parallel",
    "1",
];

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

/// Turns the spec of a model's child into that of a trial.
pub(super) fn trial_spec(
    mut spec: InstanceSpec,
    engine: &Engine,
    inspection_id: u64,
) -> InstanceSpec {
    spec.name = format!("{} (trial)", spec.name);
    spec.args.extend(TRIAL_ARGS.map(Into::into));
    if engine.supports_fit {
        spec.args.extend(["--fit", "off"].map(Into::into));
    }
    if engine.supports_verbosity {
        // Level 1 logs errors only.
        spec.args.extend(["--log-verbosity", "1"].map(Into::into));
    }
    spec.generations = FIRST_GENERATION + inspection_id;
    spec.restart = RestartPolicy {
        budget: 0,
        ..RestartPolicy::default()
    };
    spec.restarts_used = 0;
    // A trial does not count in the model's own state.
    spec.stalls = StallTracker::default();
    spec.inference_errors = InferenceErrors::default();
    spec.logs = Logs::new();
    spec
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

/// The progress of a trial.
#[derive(Debug, PartialEq, Eq)]
enum TrialProgress {
    /// The engine has not begun to read the file.
    Starting,
    /// The engine reads the file and can still refuse it.
    Reading,
    /// The engine cannot load the file.
    Refused(Arc<Failure>),
    /// The engine has passed the point of refusal, or failed for a reason that proves nothing about the file.
    Accepted,
}

impl TrialProgress {
    fn from_state(state: &State) -> Self {
        match state {
            State::Starting { progress: None, .. } => Self::Starting,
            State::Starting {
                progress: Some(progress),
                ..
            } => match *progress > 0.0 {
                true => Self::Accepted,
                false => Self::Reading,
            },
            State::Failed { failure, .. } | State::Backoff { failure, .. }
                if is_fault_of_files(failure) =>
            {
                Self::Refused(Arc::clone(failure))
            }
            State::Failed { .. }
            | State::Backoff { .. }
            | State::Ready { .. }
            | State::Stopping { .. }
            | State::Stopped => Self::Accepted,
        }
    }
}

/// Returns the inspection with proven files, or the failed load that follows from a refusal.
fn inspection_after_trial(
    inspection: &ModelInspection,
    refusal: Option<Arc<Failure>>,
) -> InspectionResult {
    let Some(cause) = refusal else {
        let demand = Demand {
            is_proven: true,
            ..inspection.demand
        };
        return Ok(Arc::new(ModelInspection {
            demand,
            ..inspection.clone()
        }));
    };
    Err(FailedLoad {
        failure: LoadFailure {
            cause,
            retry_at: None,
            restarts_left: 0,
        },
        until: None,
        files: inspection.files.clone(),
        breaker_opened: false,
    })
}

/// Returns true if the failure is the files' fault. Others may be the trial's own: an incompatible flag, exhausted
/// memory, or a file system without mappings (llama.cpp b11434, src/llama-mmap.cpp).
fn is_fault_of_files(failure: &Failure) -> bool {
    let says = |words: &str| failure.log_tail.iter().any(|line| line.contains(words));
    match failure.class {
        FailureClass::AssertionFailed => true,
        FailureClass::BadFile => says("error loading model") && !says("mmap failed"),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
