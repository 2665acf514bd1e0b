//! Builds configurations, inspections and failures for tests.

use super::inspection::{ModelInspection, PromptCache};
use super::model_knowledge::FailedLoad;
use paddock_admission::error::LoadFailure;
use paddock_config::{Config, Overrides};
use paddock_gguf::builder::GgufBuilder;
use paddock_scheduler::{Demand, Memory};
use paddock_supervisor::{ChildPhase, Failure, FailureClass};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// A temporary directory with an empty script as the engine and the smallest loadable model file.
pub(crate) struct Fixture(TempDir);

impl Fixture {
    pub(crate) fn new() -> Self {
        let fixture = Self(tempfile::tempdir().unwrap());
        fs::create_dir(fixture.path("bin")).unwrap();
        let program = fixture.path("bin/llama-server");
        fs::write(&program, "#!/bin/sh\n").unwrap();
        fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(fixture.path("m.gguf"), GgufBuilder::stand_in().build()).unwrap();
        fixture
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Reads a configuration whose engine is the fixture's.
    pub(crate) fn config(&self, text: &str) -> Config {
        let program = self.path("bin/llama-server");
        let text = format!("engine.command = \"{}\"\n{text}", program.display());
        let file = self.path("paddock.toml");
        Config::from_toml(&text, &file, &Overrides::default()).unwrap()
    }
}

/// Returns an inspection of a model about which nothing is known.
pub(crate) fn inspection() -> ModelInspection {
    ModelInspection {
        files: None,
        predicted: Memory::needed(0),
        demand: Demand {
            memory: Memory::needed(0),
            load: Duration::ZERO,
            is_proven: false,
        },
        prompt_cache: PromptCache::default(),
        args: Vec::new(),
        key: None,
        headers: None,
    }
}

/// Returns the failure of a child that was starting.
pub(crate) fn failure(class: FailureClass, message: &str) -> Arc<Failure> {
    Arc::new(Failure {
        class,
        phase: ChildPhase::Starting,
        exit: None,
        message: message.to_owned(),
        log_tail: Vec::new(),
    })
}

/// Returns a failed load that no change of files can help.
pub(crate) fn failed_load(class: FailureClass, message: &str) -> FailedLoad {
    FailedLoad {
        failure: LoadFailure {
            cause: failure(class, message),
            retry_at: None,
            restarts_left: 0,
        },
        until: None,
        files: None,
        breaker_opened: false,
    }
}
