//! Trials: the engine begins to load files that nobody has seen loaded, before another model makes room for them.
//!
//! llama-server reads the metadata, the vocabulary and the list of tensors before it allocates anything for them,
//! and refuses what it cannot load within some 50 ms (llama.cpp b11434, src/llama.cpp, `llama_model_load`). A trial
//! is a child of its own that is ended as soon as it has come further. It uses no device and maps the file, so
//! that it holds little memory.

use super::actor::{News, Runtime};
use super::entry::Failed;
use super::inspect::Found;
use crate::engine::Engine;
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

/// The most trials at once.
pub(super) const MAX_TRIALS: usize = 2;

/// Longest time until a trial begins to read its file; drivers may take a while.
const BEGIN_LIMIT: Duration = Duration::from_secs(3);

/// Longest time after that. A file that has not been refused by then is not refused for its contents.
const LOAD_LIMIT: Duration = Duration::from_secs(1);

/// Trials have sockets in directories that are named after these generations, which no child reaches.
const FIRST_GENERATION: u64 = 1 << 40;

/// What the engine is told besides: of a flag that is there twice the last counts. No device, no buffers as large
/// as the model, and little for the context, which is allocated last.
const ARGUMENTS: [&str; 11] = [
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

/// One trial.
struct Trial {
    model: ModelId,
    inspection: u64,
    found: Arc<Found>,
    spec: InstanceSpec,
    spawner: Spawner,
    tasks: TaskTracker,
    permits: Arc<Semaphore>,
    tell: mpsc::Sender<News>,
}

impl Runtime {
    /// Has the engine begin to load the model's files.
    pub(super) fn try_load(&mut self, id: ModelId) {
        match self.trial(id) {
            Some(trial) => {
                self.tasks.spawn(trial.run());
            }
            // The scheduler waits for an answer.
            None => self.handle(Event::Inspected {
                model: id,
                demand: None,
            }),
        }
    }

    fn trial(&mut self, id: ModelId) -> Option<Trial> {
        let (spec, engine) = (self.spec(id)?, self.world.engine.clone()?);
        let entry = self.entries.get_mut(id.0)?;
        let found = entry.found.clone()?;
        entry.inspections += 1;
        Some(Trial {
            model: id,
            inspection: entry.inspections,
            found,
            spec: of_trial(spec, &engine, entry.inspections),
            spawner: self.world.spawner.clone(),
            tasks: self.tasks.clone(),
            permits: Arc::clone(&self.trials),
            tell: self.tell.clone(),
        })
    }
}

/// Makes a trial of what a child would be started by.
fn of_trial(mut spec: InstanceSpec, engine: &Engine, inspection: u64) -> InstanceSpec {
    spec.name = format!("{} (trial)", spec.name);
    spec.args.extend(ARGUMENTS.map(Into::into));
    if engine.takes_fit {
        spec.args.extend(["--fit", "off"].map(Into::into));
    }
    if engine.takes_verbosity {
        // Errors alone.
        spec.args.extend(["--log-verbosity", "1"].map(Into::into));
    }
    spec.generations = FIRST_GENERATION + inspection;
    spec.restart = RestartPolicy {
        budget: 0,
        ..RestartPolicy::default()
    };
    spec.restarts_used = 0;
    // What belongs to the model's children is not the trial's.
    spec.stalls = StallTracker::default();
    spec.inference_errors = InferenceErrors::default();
    spec.logs = Logs::new();
    spec
}

impl Trial {
    async fn run(self) {
        let found = match self.outcome().await {
            None => Ok(Arc::new(self.proven())),
            Some(cause) => Err(Failed {
                failure: LoadFailure {
                    cause,
                    retry_at: None,
                    restarts_left: 0,
                },
                until: None,
                files: self.found.files.clone(),
                broke: false,
            }),
        };
        let news = News::Inspected {
            model: self.model,
            inspection: self.inspection,
            found,
        };
        // The actor hears it unless it has ended.
        let _ = self.tell.send(news).await;
    }

    fn proven(&self) -> Found {
        Found {
            demand: Demand {
                is_proven: true,
                ..self.found.demand
            },
            ..Found::clone(&self.found)
        }
    }

    /// Returns why the files cannot be loaded, if the engine says so. Ends at once when paddock does.
    async fn outcome(&self) -> Option<Arc<Failure>> {
        let _permit = tokio::select! {
            permit = self.permits.acquire() => permit.ok()?,
            () = self.tell.closed() => return None,
        };
        let instance = Instance::start(self.spec.clone(), &self.spawner, &self.tasks);
        let failure = tokio::select! {
            failure = refusal(&instance) => failure,
            () = self.tell.closed() => None,
        };
        instance.kill().await;
        failure
    }
}

/// Waits until the engine refuses the files, or has come further than that.
async fn refusal(instance: &Instance) -> Option<Arc<Failure>> {
    let mut states = instance.watch();
    let mut deadline = Instant::now() + BEGIN_LIMIT;
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
                    deadline = Instant::now() + LOAD_LIMIT;
                }
            }
            State::Failed { failure, .. } | State::Backoff { failure, .. } => {
                return proves_it(failure).then(|| Arc::clone(failure));
            }
            State::Ready { .. } | State::Stopping { .. } | State::Stopped => return None,
        }
        match timeout_at(deadline, states.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return None,
        }
    }
}

/// Returns true if the failure is the files' own fault. Any other may be the trial's: a flag that it does not go
/// with, memory that is used up, or a file system without mappings (llama.cpp b11434, src/llama-mmap.cpp).
fn proves_it(failure: &Failure) -> bool {
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
            // A device that the trial does without.
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
            assert_eq!(proves_it(&failure), expected, "{class}: {line}");
        }
    }
}
