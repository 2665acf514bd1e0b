//! A real llama-server, and its own router in front of one.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::place::{Place, free_port};
use super::{Name, Subject, paddock};
use crate::process::Process;
use crate::usage::Processes;

// Each gets `--fit off`, as paddock gives it where it knows the memory: fitting takes longer than the load of a
// small model does.

/// What `PADDOCK_TEST_ENGINE` and `PADDOCK_TEST_MODEL` name.
#[derive(Debug)]
pub(crate) struct Engine {
    program: PathBuf,
    model: PathBuf,
}

impl Engine {
    /// Nothing where one of them is not set.
    pub(crate) fn find() -> Option<Self> {
        let path = |name| std::env::var_os(name).map(PathBuf::from);
        Some(Self {
            program: path("PADDOCK_TEST_ENGINE")?,
            model: path("PADDOCK_TEST_MODEL")?,
        })
    }

    /// The server itself, by TCP.
    pub(crate) fn direct(&self, place: &Place) -> Result<Subject> {
        let mut command = place.command(&self.program);
        command.arg("--model").arg(&self.model);
        command.args(["--ctx-size", "512", "--parallel", "1", "--fit", "off"]);
        let port = free_port()?;
        command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
        Ok(Subject {
            name: Name::Direct,
            address: ([127, 0, 0, 1], port).into(),
            proxy: None,
            before_end: None,
            running: vec![Process::start(&mut command, &place.fresh("engine.log"))?],
        })
    }

    /// The same behind paddock.
    pub(crate) fn paddock(&self, place: &Place, program: &Path) -> Result<Subject> {
        paddock::start_real(place, program, &self.program, &self.model)
    }

    /// paddock with models `a` and `b`, none of them loaded, and more of its configuration.
    pub(crate) fn paddock_two(&self, place: &Place, program: &Path, more: &str) -> Result<Subject> {
        paddock::start_two_real(place, program, &self.program, &self.model, more)
    }

    /// The command that starts it, but for its address.
    pub(crate) fn command(&self) -> String {
        let (program, model) = (self.program.display(), self.model.display());
        format!("{program} --model {model} --ctx-size 512 --parallel 1 --fit off")
    }

    /// The same behind another llama-server that is a router.
    pub(crate) fn router(&self, place: &Place) -> Result<Subject> {
        self.router_of(place, &["instant"])
    }

    /// A router with models `a` and `b`, one of which is in memory at a time.
    pub(crate) fn router_two(&self, place: &Place) -> Result<Subject> {
        self.router_of(place, &["a", "b"])
    }

    fn router_of(&self, place: &Place, models: &[&str]) -> Result<Subject> {
        let presets = place.fresh("presets.ini");
        let path = self.model.display();
        let entry = |model: &&str| {
            format!("\n[{model}]\nmodel = {path}\nctx-size = 512\nparallel = 1\nfit = off\n")
        };
        let entries: String = models.iter().map(entry).collect();
        fs::write(&presets, format!("version = 1\n{entries}"))?;
        let mut command = place.command(&self.program);
        command.arg("--models-preset").arg(&presets);
        command.args(["--models-max", "1"]);
        let port = free_port()?;
        command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
        let process = Process::start(&mut command, &place.fresh("router.log"))?;
        Ok(Subject::new(
            Name::Router,
            ([127, 0, 0, 1], port).into(),
            Processes(vec![process.id()]),
            process,
        ))
    }
}
