//! Starts either engine and talks to it without paddock.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::Duration;

use paddock_e2e::harness::{
    Address, Connection, HttpResponse, LIMIT, Lines, Signal, get, now, real, wait_for, wait_until,
};
use rustix::process::kill_process;
use tempfile::TempDir;

/// The engine under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    StandIn,
    Real,
}

impl Kind {
    pub(crate) const BOTH: [Self; 2] = [Self::StandIn, Self::Real];
}

/// A running engine; dropping it kills it.
pub(crate) struct Engine {
    process: Child,
    exit: Option<ExitStatus>,
    pub(crate) stdin: Option<ChildStdin>,
    pub(crate) stdout: Lines,
    pub(crate) stderr: Lines,
    directory: TempDir,
}

impl Engine {
    /// Starts an engine with a loadable model, on a unix socket.
    pub(crate) fn start(kind: Kind, args: &[&str]) -> Self {
        let model = real::model().display().to_string();
        let args = [&["--model", &model][..], args].concat();
        Self::start_without_model(kind, &args, &[])
    }

    /// Starts an engine as a router does: it writes events to stdout and reads commands from stdin.
    pub(crate) fn start_for_router(kind: Kind, args: &[&str]) -> Self {
        let model = real::model().display().to_string();
        let args = [&["--model", &model][..], args].concat();
        Self::start_without_model(kind, &args, &[("LLAMA_SERVER_ROUTER_PORT", "1")])
    }

    pub(crate) fn start_without_model(kind: Kind, args: &[&str], env: &[(&str, &str)]) -> Self {
        let directory = tempfile::Builder::new().prefix("pd-").tempdir().unwrap();
        let program = match kind {
            Kind::StandIn => Path::new(env!("CARGO_BIN_EXE_fake-llama-server")),
            Kind::Real => real::engine(),
        };
        let mut process = Command::new(program)
            .arg("--host")
            .arg(directory.path().join("engine.sock"))
            .args(real::SMALL)
            .args(args)
            .env_remove("LLAMA_SERVER_ROUTER_PORT")
            .envs(env.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            stdin: process.stdin.take(),
            stdout: Lines::of(process.stdout.take().unwrap()),
            stderr: Lines::of(process.stderr.take().unwrap()),
            process,
            exit: None,
            directory,
        }
    }

    /// Starts an engine and waits until its model is loaded.
    pub(crate) fn ready(kind: Kind, args: &[&str]) -> Self {
        let engine = Self::start(kind, args);
        engine.wait_listening();
        engine
    }

    /// Waits for the line that the engine writes once its model is loaded.
    pub(crate) fn wait_listening(&self) {
        self.stderr.wait_for(LIMIT, "listening on");
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("engine.sock")
    }

    /// Opens a connection as soon as the engine listens.
    pub(crate) fn connect(&self) -> Connection {
        let address = Address::Unix(self.socket());
        wait_for(LIMIT, "a listener", || {
            Connection::try_connect(&address).ok()
        })
    }

    pub(crate) fn ask(&self, request: impl AsRef<[u8]>) -> HttpResponse {
        self.connect().ask(request)
    }

    pub(crate) fn get(&self, path: &str) -> HttpResponse {
        self.ask(get(path))
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(rustix::process::Pid::from_child(&self.process), signal).unwrap();
    }

    pub(crate) fn exit_status(&mut self) -> Option<ExitStatus> {
        if self.exit.is_none() {
            self.exit = self.process.try_wait().unwrap();
        }
        self.exit
    }

    pub(crate) fn wait_exit(&mut self) -> ExitStatus {
        wait_for(LIMIT, "the engine's exit", || self.exit_status())
    }

    /// Asserts that the process lives on for some time.
    pub(crate) fn assert_lives_for(&mut self, time: Duration) {
        let begun = now();
        wait_until(LIMIT, "some time to pass", || {
            assert_eq!(self.exit_status(), None, "it ended");
            begun.elapsed() > time
        });
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if self.exit_status().is_none() {
            let _ended = self.process.kill();
            let _reaped = self.process.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- stderr: {:#?}", self.stderr.all());
        }
    }
}

/// Returns a directory with a named pipe in it: an engine that is given the pipe as its model loads until somebody writes.
pub(crate) fn endless_model() -> (TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("endless.gguf");
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR).unwrap();
    let path = path.display().to_string();
    (directory, path)
}

/// Writes a file and returns its path.
pub(crate) fn file(directory: &TempDir, name: &str, content: &[u8]) -> String {
    let path = directory.path().join(name);
    fs::write(&path, content).unwrap();
    path.display().to_string()
}
