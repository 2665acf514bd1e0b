//! A real llama-server, alone, behind paddock, and behind its own router.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::run_dir::{RunDir, free_port};
use super::{Subject, SubjectName, paddock};
use crate::process::Process;
use crate::process_usage::Processes;

// Each server gets `--fit off`, as paddock passes it if it knows the memory: fitting takes longer
// than loading a small model.

/// The engine and the model that `PADDOCK_TEST_ENGINE` and `PADDOCK_TEST_MODEL` name.
#[derive(Debug)]
pub(crate) struct RealEngine {
    pub(super) program: PathBuf,
    pub(super) model: PathBuf,
    /// Context size in tokens.
    pub(super) context_size: u32,
}

impl RealEngine {
    /// Returns `None` if a variable is not set.
    pub(crate) fn find() -> Option<Self> {
        let path = |name| std::env::var_os(name).map(PathBuf::from);
        Some(Self {
            program: path("PADDOCK_TEST_ENGINE")?,
            model: path("PADDOCK_TEST_MODEL")?,
            context_size: 512,
        })
    }

    /// Sets the context size of servers started later.
    pub(crate) fn with_context_size(self, context_size: u32) -> Self {
        Self {
            context_size,
            ..self
        }
    }

    /// Starts the server itself, over TCP.
    pub(crate) fn direct(&self, run_dir: &RunDir) -> Result<Subject> {
        let mut command = run_dir.command(&self.program);
        command.arg("--model").arg(&self.model);
        command.args(["--ctx-size", &self.context_size.to_string()]);
        command.args(["--parallel", "1", "--fit", "off"]);
        let port = free_port()?;
        command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
        Ok(Subject {
            name: SubjectName::Direct,
            address: ([127, 0, 0, 1], port).into(),
            proxy: None,
            before_end: None,
            running: vec![Process::start(
                &mut command,
                &run_dir.unique_path("engine.log"),
            )?],
        })
    }

    /// Starts the server behind paddock.
    pub(crate) fn paddock(&self, run_dir: &RunDir, program: &Path) -> Result<Subject> {
        paddock::start_real(run_dir, program, self)
    }

    /// Starts paddock with models `a` and `b`, neither loaded, and additional configuration.
    pub(crate) fn paddock_two(
        &self,
        run_dir: &RunDir,
        program: &Path,
        more: &str,
    ) -> Result<Subject> {
        paddock::start_two_real(run_dir, program, self, more)
    }

    /// Returns the command that starts the server, without its address.
    pub(crate) fn command(&self) -> String {
        let (program, model) = (self.program.display(), self.model.display());
        let size = self.context_size;
        format!("{program} --model {model} --ctx-size {size} --parallel 1 --fit off")
    }

    /// Starts the server behind llama-server's router.
    pub(crate) fn router(&self, run_dir: &RunDir) -> Result<Subject> {
        self.router_of(run_dir, &["instant"])
    }

    /// Starts a router with models `a` and `b`, one in memory at a time.
    pub(crate) fn router_two(&self, run_dir: &RunDir) -> Result<Subject> {
        self.router_of(run_dir, &["a", "b"])
    }

    fn router_of(&self, run_dir: &RunDir, models: &[&str]) -> Result<Subject> {
        let presets = run_dir.unique_path("presets.ini");
        let (path, size) = (self.model.display(), self.context_size);
        let entry = |model: &&str| {
            format!("\n[{model}]\nmodel = {path}\nctx-size = {size}\nparallel = 1\nfit = off\n")
        };
        let entries: String = models.iter().map(entry).collect();
        fs::write(&presets, format!("version = 1\n{entries}"))?;
        let mut command = run_dir.command(&self.program);
        command.arg("--models-preset").arg(&presets);
        command.args(["--models-max", "1"]);
        let port = free_port()?;
        command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
        let process = Process::start(&mut command, &run_dir.unique_path("router.log"))?;
        Ok(Subject::new(
            SubjectName::Router,
            ([127, 0, 0, 1], port).into(),
            Processes(vec![process.id()]),
            process,
        ))
    }
}
