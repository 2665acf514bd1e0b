//! Tests of trial loads.

use super::*;
use crate::child_spec::{ChildFacts, ChildSurroundings};
use crate::fixture::{Fixture, failure, inspection};
use crate::load_history::FileIdentity;
use crate::model_knowledge::ModelKnowledge;
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

#[test]
fn a_trial_uses_no_device_little_memory_and_counters_of_its_own() {
    let fixture = Fixture::new();
    let config = fixture.config("[models.m]\npath = \"m.gguf\"\n");
    let facts = ChildFacts {
        config: &config,
        model: &config.models[0],
        knowledge: &ModelKnowledge::default(),
        generations: 5,
    };
    let spec = facts.spec(ChildSurroundings {
        env: Vec::new(),
        sandbox: None,
        runtime_dir: "/run/p".into(),
        stalls: StallTracker::default(),
        inference_errors: InferenceErrors::default(),
        oom: paddock_supervisor::OomCounters::default(),
        logs: Logs::new(),
    });
    let able = Engine {
        supports_fit: true,
        supports_verbosity: true,
        ..Engine::default()
    };
    for (engine, extra) in [
        (Engine::default(), &[][..]),
        (able, &["--fit", "off", "--log-verbosity", "1"]),
    ] {
        let trial = trial_spec(spec.clone(), &engine, 9);
        let own = spec.args.len();
        assert_eq!(trial.args[..own], spec.args);
        assert_eq!(trial.args[own..own + TRIAL_ARGS.len()], TRIAL_ARGS);
        assert_eq!(trial.args[own + TRIAL_ARGS.len()..], *extra);
        assert_eq!(trial.name, "m (trial)");
        assert_eq!(trial.generations, FIRST_GENERATION + 9);
        assert_eq!((trial.restart.budget, trial.restarts_used), (0, 0));
    }
}
