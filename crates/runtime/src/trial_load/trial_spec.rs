//! Derives the specification of a trial's child for the supervisor: a llama-server process that begins to load files
//! which were never loaded before, in little memory.

use crate::engine_probe::Engine;
use paddock_supervisor::{InferenceErrors, InstanceSpec, Logs, RestartPolicy, StallTracker};

/// First generation (number of a child) of trials. Generations name the directories of the children's sockets, and no
/// other child of a model reaches this one.
const FIRST_GENERATION: u64 = 1 << 40;

/// Arguments that override the model's (the last occurrence of a flag counts): no device, no buffers as large as
/// the model, and a small context, which the engine allocates after the model.
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

/// Turns the spec of a model's child into that of a trial.
pub(crate) fn trial_spec(
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::child_spec::{ChildFacts, ChildSurroundings};
    use crate::fixture::Fixture;
    use crate::model_knowledge::ModelKnowledge;

    #[test]
    fn a_trial_uses_no_device_little_memory_and_counters_of_its_own() {
        let fixture = Fixture::new();
        let config = fixture.config("[models.m]\npath = \"m.gguf\"\n");
        let facts = ChildFacts {
            config: &config,
            model: &config.models[0],
            knowledge: &ModelKnowledge::default(),
            generations: 5,
            contexts: None,
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
}
