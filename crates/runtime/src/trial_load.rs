//! Trial loads: the engine begins to load files that were never loaded before, before another model is evicted for
//! them.
//!
//! llama-server reads the metadata, the vocabulary and the list of tensors before it allocates memory for them, and
//! refuses what it cannot load within about 50 ms (llama.cpp b11434, src/llama.cpp, `llama_model_load`). A trial is
//! a separate child that is killed as soon as it has passed that point. It uses no device and maps the file, so it
//! uses little memory.

use super::actor::{Runtime, RuntimeMessage};
use super::inspection::ModelInspection;
use super::model_entry::FailedLoad;
use crate::engine_probe::Engine;
use paddock_admission::error::LoadFailure;
use paddock_scheduler::{Demand, Event, ModelId};
use paddock_supervisor::{
    Failure, FailureClass, InferenceErrors, Instance, InstanceSpec, Logs, RestartPolicy, Spawner,
    StallTracker, State,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, timeout_at};
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
struct TrialLoad {
    model: ModelId,
    inspection_id: u64,
    inspection: Arc<ModelInspection>,
    spec: InstanceSpec,
    spawner: Spawner,
    tasks: TaskTracker,
    permits: Arc<Semaphore>,
    sender: mpsc::Sender<RuntimeMessage>,
}

impl Runtime {
    /// Starts a trial load of the model's files.
    pub(super) fn try_load(&mut self, id: ModelId) {
        match self.trial(id) {
            Some(trial) => {
                self.tasks.spawn(trial.run());
            }
            // The scheduler waits for a result.
            None => self.handle_event(Event::Inspected {
                model: id,
                demand: None,
            }),
        }
    }

    fn trial(&mut self, id: ModelId) -> Option<TrialLoad> {
        let (spec, engine) = (self.spec(id)?, self.context.engine.clone()?);
        let entry = self.entries.get_mut(id.0)?;
        let inspection = entry.inspection.clone()?;
        entry.last_inspection_id += 1;
        Some(TrialLoad {
            model: id,
            inspection_id: entry.last_inspection_id,
            inspection,
            spec: trial_spec(spec, &engine, entry.last_inspection_id),
            spawner: self.context.spawner.clone(),
            tasks: self.tasks.clone(),
            permits: Arc::clone(&self.trials),
            sender: self.messages_sender.clone(),
        })
    }
}

/// Turns the spec of a model's child into that of a trial.
fn trial_spec(mut spec: InstanceSpec, engine: &Engine, inspection_id: u64) -> InstanceSpec {
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
    async fn run(self) {
        let inspection = match self.run_child().await {
            None => Ok(Arc::new(self.proven())),
            Some(cause) => Err(FailedLoad {
                failure: LoadFailure {
                    cause,
                    retry_at: None,
                    restarts_left: 0,
                },
                until: None,
                files: self.inspection.files.clone(),
                breaker_opened: false,
            }),
        };
        let news = RuntimeMessage::Inspected {
            model: self.model,
            inspection_id: self.inspection_id,
            inspection,
        };
        // Sending fails only if the actor has ended.
        let _ = self.sender.send(news).await;
    }

    fn proven(&self) -> ModelInspection {
        ModelInspection {
            demand: Demand {
                is_proven: true,
                ..self.inspection.demand
            },
            ..ModelInspection::clone(&self.inspection)
        }
    }

    /// Returns the engine's reason if it cannot load the files. Ends early if the actor ends.
    async fn run_child(&self) -> Option<Arc<Failure>> {
        let _permit = tokio::select! {
            permit = self.permits.acquire() => permit.ok()?,
            () = self.sender.closed() => return None,
        };
        let instance = Instance::start(self.spec.clone(), &self.spawner, &self.tasks);
        let failure = tokio::select! {
            failure = wait_for_refusal(&instance) => failure,
            () = self.sender.closed() => None,
        };
        instance.kill().await;
        failure
    }
}

/// Waits until the engine refuses the files or has passed the point of refusal.
async fn wait_for_refusal(instance: &Instance) -> Option<Arc<Failure>> {
    let mut states = instance.watch();
    let mut deadline = Instant::now() + READ_START_TIMEOUT;
    let mut has_begun = false;
    loop {
        match &*states.borrow_and_update() {
            State::Starting {
                progress: Some(progress),
                ..
            } if *progress > 0.0 => return None,
            State::Starting { progress, .. } => {
                if progress.is_some() && !has_begun {
                    has_begun = true;
                    deadline = Instant::now() + REFUSAL_TIMEOUT;
                }
            }
            State::Failed { failure, .. } | State::Backoff { failure, .. } => {
                return is_fault_of_files(failure).then(|| Arc::clone(failure));
            }
            State::Ready { .. } | State::Stopping { .. } | State::Stopped => return None,
        }
        match timeout_at(deadline, states.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return None,
        }
    }
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
mod tests {
    use super::*;
    use paddock_supervisor::{ChildPhase, Exit};

    #[test]
    fn only_a_refusal_of_the_files_themselves_proves_anything() {
        let refused = "llama_model_load: error loading model: unknown model architecture: 'x'";
        for (class, line, expected) in [
            (FailureClass::BadFile, refused, true),
            (
                FailureClass::AssertionFailed,
                "GGML_ASSERT(n > 0) failed",
                true,
            ),
            (
                FailureClass::BadFile,
                "llama_model_load: error loading model: mmap failed: No such device",
                false,
            ),
            // The trial uses no device.
            (
                FailureClass::BadFile,
                "common_init_: failed to load model 'm.gguf'",
                false,
            ),
            (FailureClass::OutOfMemory, refused, false),
            (FailureClass::BadFlag, "error: invalid argument", false),
            (FailureClass::Killed, refused, false),
        ] {
            let failure = Failure {
                class,
                phase: ChildPhase::Starting,
                exit: Some(Exit::Code(1)),
                message: String::new(),
                log_tail: vec![line.to_owned()],
            };
            assert_eq!(is_fault_of_files(&failure), expected, "{class}: {line}");
        }
    }
}
