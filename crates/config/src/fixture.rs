//! A directory with a program and a model, for tests.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use paddock_engines::{EngineDirs, EngineName, Flavour, UnpackedEngine};
use paddock_gguf::{GgmlType, Value, builder::GgufBuilder};
use paddock_models::StoreDirs;
use paddock_supervisor::sandbox::SandboxSupport;
use tempfile::TempDir;

use super::{Config, Overrides, Problems, ProcessEnv, resolve};

/// A temporary directory with `bin/llama-server` (an empty script) and `model.gguf`.
pub(super) struct Fixture(TempDir);

impl Fixture {
    pub(super) fn new() -> Self {
        let fixture = Self(tempfile::tempdir().unwrap());
        fs::create_dir(fixture.path("bin")).unwrap();
        fixture.write("bin/llama-server", b"#!/bin/sh\n");
        fixture.set_mode("bin/llama-server", 0o755);
        fixture.write("model.gguf", &model().build());
        fixture
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(super) fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    /// Writes small model files and creates their directories.
    pub(super) fn models(&self, names: &[&str]) {
        for name in names {
            fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
            self.write(name, &model().build());
        }
    }

    /// Installs an empty script as the engine in use.
    pub(super) fn install_engine(&self, name: &str) {
        let dirs = self.process_env().engines;
        let built = self.path("bin");
        let name: EngineName = name.parse().unwrap();
        let engine = UnpackedEngine::copy(&dirs, name.clone(), &built).unwrap();
        let flavour = Flavour::default();
        engine
            .install("b1", &flavour, String::new(), None, 0)
            .unwrap();
        dirs.set_current(&name).unwrap();
    }

    pub(super) fn set_mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    pub(super) fn process_env(&self) -> ProcessEnv {
        ProcessEnv {
            search_path: Some(self.path("bin").into()),
            home: Some(self.0.path().to_owned()),
            state_home: None,
            store: Some(StoreDirs {
                hub: self.path("hub"),
                own: self.path("own"),
            }),
            otlp_headers: None,
            parts: SandboxSupport::for_linux(7, true),
            engines: EngineDirs {
                own: Some(self.path("engines")),
                system: None,
            },
            installed: &[],
        }
    }

    pub(super) fn config(&self, text: &str, overrides: &Overrides) -> Result<Config, Problems> {
        let file = self.path("paddock.toml");
        resolve::from_toml(text, &file, overrides, &self.process_env())
    }

    /// Reads a file and returns the displayed problems, with the directory as `DIR`. Includes faults of files, as
    /// `paddock check` does.
    pub(super) fn problems(&self, text: &str) -> String {
        self.problems_with(text, &Overrides::default())
    }

    pub(super) fn problems_with(&self, text: &str, overrides: &Overrides) -> String {
        let problems = match self.config(text, overrides) {
            Ok(config) => {
                let faults = config.faults.into_iter().map(|fault| fault.problem);
                Problems::new(faults.collect()).unwrap()
            }
            Err(problems) => problems,
        };
        self.hide(&problems)
    }

    pub(super) fn hide(&self, shown: &(impl ToString + ?Sized)) -> String {
        let shown = shown.to_string();
        shown.replace(self.0.path().to_str().unwrap(), "DIR")
    }
}

/// Starts building a small model file.
pub(super) fn model() -> GgufBuilder {
    GgufBuilder::new("llama").tensor("token_embd.weight", &[32, 4], GgmlType::F32)
}

/// Starts building a part of a split model file.
pub(super) fn part(index: u16, count: u16) -> GgufBuilder {
    model()
        .set("split.no", Value::U16(index))
        .set("split.count", Value::U16(count))
}
