//! Derives the specification of a model's next child, a llama-server process, for the supervisor.

use super::contexts::ChildContexts;
use super::inspection::model_files;
use super::model_knowledge::ModelKnowledge;
use crate::inference_probes;
use paddock_config::{self as config, Config, Mode};
use paddock_supervisor::{
    InferenceErrors, InstanceSpec, LivenessPolicy, Logs, OomCounters, RestartPolicy, Sandbox,
    StallTracker, StopPolicy, Transport,
};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Grace periods after the first and second SIGTERM, before SIGKILL. Both are short, because the scheduler stops a
/// child only when no request is in flight.
const STOP_POLICY: StopPolicy = StopPolicy {
    first_grace: Duration::from_millis(750),
    second_grace: Duration::from_millis(750),
};

/// The facts that a child's specification follows from.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChildFacts<'a> {
    pub(super) config: &'a Config,
    pub(super) model: &'a config::Model,
    pub(super) knowledge: &'a ModelKnowledge,
    /// Number of children started so far.
    pub(super) generations: u64,
    /// Staging directory and identity of the child's contexts; `None` if they are not kept.
    pub(super) contexts: Option<&'a ChildContexts>,
}

/// The surroundings of a child: its environment, its directory, and the counters and logs that it shares with other
/// children.
#[derive(Debug, Clone)]
pub(super) struct ChildSurroundings {
    pub(super) env: Vec<(OsString, OsString)>,
    pub(super) sandbox: Option<Sandbox>,
    pub(super) runtime_dir: PathBuf,
    pub(super) stalls: StallTracker,
    pub(super) inference_errors: InferenceErrors,
    pub(super) oom: OomCounters,
    pub(super) logs: Logs,
}

impl ChildFacts<'_> {
    /// Returns the specification of the model's next child.
    pub(super) fn spec(&self, surroundings: ChildSurroundings) -> InstanceSpec {
        let mut command = self.config.command(self.model);
        if let Some(inspection) = &self.knowledge.inspection {
            command.args.extend(inspection.args.iter().cloned());
        }
        command
            .args
            .extend(self.contexts.into_iter().flat_map(ChildContexts::args));
        let mode = self.config.mode;
        let restart = RestartPolicy::default();
        InstanceSpec {
            name: self.model.id.clone(),
            program: command.program,
            args: command.args,
            env: surroundings.env,
            sandbox: surroundings.sandbox,
            runtime_dir: surroundings.runtime_dir,
            transport: Transport::Unix,
            address_variable: mode.is_launched(),
            ready_event: !matches!(mode, Mode::Wrap { router: true, .. }),
            startup_timeout: self.model.startup_timeout,
            // An open breaker allows one attempt.
            restarts_used: match self.knowledge.is_breaker_open() {
                true => restart.budget,
                false => 0,
            },
            restart,
            generations: self.generations,
            stop: STOP_POLICY,
            liveness: LivenessPolicy::default(),
            stalls: surroundings.stalls,
            inference: inference_probes::policy(mode),
            inference_errors: surroundings.inference_errors,
            oom: surroundings.oom,
            logs: surroundings.logs,
        }
    }
}

/// Returns the files that a model's child reads: all parts of the model and of its draft model, and its projector.
pub(super) fn readable_files(model: &config::Model) -> Vec<PathBuf> {
    let split = [&model.path, &model.draft].into_iter().flatten();
    split
        .flat_map(|path| model_files::part_paths(path))
        .chain(model.mmproj.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, failed_load, inspection};
    use paddock_supervisor::FailureClass;

    fn spec(facts: &ChildFacts<'_>) -> InstanceSpec {
        facts.spec(ChildSurroundings {
            env: vec![("A".into(), "1".into())],
            sandbox: Some(Sandbox::default()),
            runtime_dir: "/run/p".into(),
            stalls: StallTracker::default(),
            inference_errors: InferenceErrors::default(),
            oom: OomCounters::default(),
            logs: Logs::new(),
        })
    }

    #[test]
    fn a_served_model_gets_its_command_and_the_arguments_of_its_inspection() {
        let fixture = Fixture::new();
        let config = fixture.config("[models.m]\npath = \"m.gguf\"\nstartup_timeout = \"7s\"\n");
        let mut inspection = inspection();
        inspection.args = vec!["--ctx-size".into(), "4096".into()];
        let knowledge = ModelKnowledge {
            inspection: Some(inspection.into()),
            ..ModelKnowledge::default()
        };
        let facts = ChildFacts {
            config: &config,
            model: &config.models[0],
            knowledge: &knowledge,
            generations: 3,
            contexts: None,
        };
        let spec = spec(&facts);
        let own = config.command(facts.model);
        assert_eq!(spec.program, own.program);
        assert_eq!(spec.args[..own.args.len()], own.args);
        assert_eq!(spec.args[own.args.len()..], ["--ctx-size", "4096"]);
        assert_eq!((spec.name.as_str(), spec.generations), ("m", 3));
        assert_eq!(spec.startup_timeout, Duration::from_secs(7));
        assert_eq!(spec.env, [("A".into(), "1".into())]);
        assert_eq!(spec.runtime_dir, PathBuf::from("/run/p"));
        assert_eq!(spec.sandbox, Some(Sandbox::default()));
        assert!(spec.ready_event && !spec.address_variable);
    }

    #[test]
    fn an_open_breaker_leaves_one_attempt() {
        let fixture = Fixture::new();
        let config = fixture.config("[models.m]\npath = \"m.gguf\"\n");
        for (breaker_opened, used) in [(false, 0), (true, RestartPolicy::default().budget)] {
            let mut failed = failed_load(FailureClass::Crashed, "it crashed");
            failed.breaker_opened = breaker_opened;
            let knowledge = ModelKnowledge {
                failed: Some(failed),
                ..ModelKnowledge::default()
            };
            let facts = ChildFacts {
                config: &config,
                model: &config.models[0],
                knowledge: &knowledge,
                generations: 0,
                contexts: None,
            };
            assert_eq!(spec(&facts).restarts_used, used);
        }
        assert!(RestartPolicy::default().budget > 0);
    }

    #[test]
    fn a_wrapped_command_may_be_a_router_or_started_by_a_script() {
        let fixture = Fixture::new();
        let mut config = fixture.config("[models.m]\npath = \"m.gguf\"\n");
        for (router, is_launched) in [(false, false), (false, true), (true, false)] {
            config.mode = Mode::Wrap {
                router,
                is_launched,
            };
            let facts = ChildFacts {
                config: &config,
                model: &config.models[0],
                knowledge: &ModelKnowledge::default(),
                generations: 0,
                contexts: None,
            };
            let spec = spec(&facts);
            assert_eq!(spec.ready_event, !router);
            assert_eq!(spec.address_variable, is_launched);
            assert_eq!(spec.inference.probes.is_empty(), router);
        }
    }

    #[test]
    fn a_child_reads_every_part_the_draft_model_and_the_projector() {
        let fixture = Fixture::new();
        let mut config = fixture.config("[models.m]\npath = \"m.gguf\"\n");
        let model = &mut config.models[0];
        model.path = Some("/m/a-00001-of-00002.gguf".into());
        model.draft = Some("/m/draft.gguf".into());
        model.mmproj = Some("/m/mmproj.gguf".into());
        let files = [
            "/m/a-00001-of-00002.gguf",
            "/m/a-00002-of-00002.gguf",
            "/m/draft.gguf",
            "/m/mmproj.gguf",
        ];
        assert_eq!(readable_files(model), files.map(PathBuf::from));
    }
}
