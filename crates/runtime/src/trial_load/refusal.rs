//! Decides whether the engine can load a model's files, from the state of a trial's child.
//!
//! A trial's child is a llama-server process that begins to load files which were never loaded before.

use crate::inspection::{InspectionResult, ModelInspection};
use crate::model_knowledge::FailedLoad;
use paddock_admission::error::LoadFailure;
use paddock_scheduler::Demand;
use paddock_supervisor::{Failure, FailureClass, State};
use std::sync::Arc;

/// The progress of a trial.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TrialProgress {
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
    /// Derives the progress from the state that the supervisor reports for the trial's child.
    pub(super) fn from_state(state: &State) -> Self {
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
pub(super) fn inspection_after_trial(
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
mod tests {
    use super::*;
    use crate::fixture::{failure, inspection};
    use crate::load_history::FileIdentity;
    use paddock_supervisor::{ChildPhase, Exit};
    use tokio::time::Instant;

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

    fn starting(progress: Option<f32>) -> State {
        State::Starting {
            pid: 7,
            generation: 1,
            since: Instant::now(),
            progress,
            listening: None,
        }
    }

    #[test]
    fn a_trial_ends_when_the_engine_refuses_or_has_begun_to_load() {
        let refusal = failure(FailureClass::AssertionFailed, "GGML_ASSERT failed");
        let other = failure(FailureClass::OutOfMemory, "no memory");
        let failed = |failure: &Arc<Failure>| State::Failed {
            failure: Arc::clone(failure),
            retry_at: None,
        };
        let backoff = State::Backoff {
            failure: Arc::clone(&refusal),
            attempt: 1,
            left: 0,
            until: Instant::now(),
        };
        let refused = || TrialProgress::Refused(Arc::clone(&refusal));
        for (state, expected) in [
            (starting(None), TrialProgress::Starting),
            (starting(Some(0.0)), TrialProgress::Reading),
            (starting(Some(0.01)), TrialProgress::Accepted),
            (failed(&refusal), refused()),
            (backoff, refused()),
            (failed(&other), TrialProgress::Accepted),
            (State::Stopping { pid: 7 }, TrialProgress::Accepted),
            (State::Stopped, TrialProgress::Accepted),
        ] {
            assert_eq!(TrialProgress::from_state(&state), expected, "{state:?}");
        }
    }

    #[test]
    fn a_refusal_is_remembered_with_the_files_and_anything_else_proves_them() {
        let mut inspection = inspection();
        inspection.files = FileIdentity::from_paths(&["/".into()]).ok();
        inspection.args = vec!["--fit".into()];
        let proven = inspection_after_trial(&inspection, None).unwrap();
        assert!(proven.demand.is_proven && !inspection.demand.is_proven);
        assert_eq!(proven.args, inspection.args);
        let refusal = failure(FailureClass::BadFile, "unknown architecture");
        let failed = inspection_after_trial(&inspection, Some(Arc::clone(&refusal))).unwrap_err();
        assert_eq!(failed.files, inspection.files);
        assert_eq!(failed.failure.cause, refusal);
        assert_eq!(failed.until, None);
    }
}
