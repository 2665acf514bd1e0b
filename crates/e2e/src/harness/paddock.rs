//! Starts, observes and stops a paddock process in a test.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::paddock_builder::{RELEASE_LOAD_FILE, RELEASE_STREAMS_FILE};
use super::process::processes_with_argument;
use super::{
    Address, Connection, HttpResponse, LIMIT, Lines, Pid, get, now, post, wait_for, wait_until,
};

/// A running paddock, and its directory.
#[derive(Debug)]
pub struct Paddock {
    process: Child,
    exit: Option<ExitStatus>,
    stderr: Lines,
    public: Vec<Address>,
    admin: Vec<Address>,
    directory: TempDir,
}

impl Paddock {
    /// Starts a serving command and waits until it reports its addresses.
    pub(super) fn spawn(mut command: Command, directory: TempDir) -> Self {
        let mut process = command.stderr(Stdio::piped()).spawn().expect("paddock");
        let stderr = Lines::of(process.stderr.take().unwrap());
        let mut paddock = Self {
            process,
            exit: None,
            stderr,
            public: Vec::new(),
            admin: Vec::new(),
            directory,
        };
        let serving = wait_for(LIMIT, "paddock to serve", || {
            let lines = paddock.stderr.all();
            let serving = lines.into_iter().find(|line| line.contains("\"serving\""));
            let ended = paddock.exit_status();
            assert!(serving.is_some() || ended.is_none(), "ended: {ended:?}");
            serving
        });
        let serving: Value = serde_json::from_str(&serving).expect("an event");
        paddock.public = addresses(&serving["listen"]);
        paddock.admin = addresses(&serving["admin"]);
        paddock
    }

    /// Returns the public address.
    pub fn public(&self) -> &Address {
        &self.public[0]
    }

    /// Returns all public addresses.
    pub fn public_addresses(&self) -> &[Address] {
        &self.public
    }

    /// Returns the admin address.
    pub fn admin(&self) -> &Address {
        &self.admin[0]
    }

    /// Returns the directory of all files.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Returns the lines of its standard error.
    pub fn stderr(&self) -> &Lines {
        &self.stderr
    }

    /// Opens a client connection.
    pub fn connect(&self) -> Connection {
        Connection::connect(self.public())
    }

    /// Sends a request on a new connection and reads the response.
    pub fn ask(&self, request: impl AsRef<[u8]>) -> HttpResponse {
        self.connect().ask(request)
    }

    /// Gets a path.
    pub fn get(&self, path: &str) -> HttpResponse {
        self.ask(get(path))
    }

    /// Posts JSON to a path.
    pub fn post(&self, path: &str, body: &str) -> HttpResponse {
        self.ask(post(path, body))
    }

    /// Gets a path of the admin plane.
    pub fn admin_get(&self, path: &str) -> HttpResponse {
        Connection::connect(self.admin()).ask(get(path))
    }

    /// Returns the complete status.
    pub fn status(&self) -> Value {
        self.admin_get("/api/status").json()
    }

    /// Returns the status of the model.
    pub fn model(&self) -> Value {
        self.status()["models"][0].clone()
    }

    /// Waits until the model has this status.
    pub fn wait_status(&self, word: &str) -> Value {
        wait_for(LIMIT, &format!("status {word}"), || {
            let model = self.model();
            (model["status"] == word).then_some(model)
        })
    }

    /// Waits until the model is ready.
    pub fn wait_ready(&self) {
        self.wait_status("ready");
    }

    /// Releases an engine that [`PaddockBuilder::hold_load`](super::PaddockBuilder::hold_load)
    /// holds back.
    pub fn release_load(&self) {
        fs::write(self.directory().join(RELEASE_LOAD_FILE), "").expect("a file");
    }

    /// Releases streams that [`PaddockBuilder::hold_streams`](super::PaddockBuilder::hold_streams)
    /// holds open.
    pub fn release_streams(&self) {
        fs::write(self.directory().join(RELEASE_STREAMS_FILE), "").expect("a file");
    }

    /// Waits until `count` requests are in flight.
    pub fn wait_in_flight(&self, count: u64) {
        wait_until(LIMIT, &format!("{count} in flight"), || {
            self.model()["in_flight"] == count
        });
    }

    /// Waits until `count` requests are queued.
    pub fn wait_queued(&self, count: u64) {
        wait_until(LIMIT, &format!("{count} queued"), || {
            self.model()["queued"] == count
        });
    }

    /// Waits for the child's process, after the shim has become the child, and returns it.
    pub fn child(&self) -> Pid {
        wait_for(LIMIT, "a child", || {
            let number = self.model()["pid"].as_i64()?;
            let pid = Pid::find(i32::try_from(number).ok()?)?;
            let line = fs::read(format!("/proc/{number}/cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line);
            (!line.is_empty() && !line.contains("__exec")).then_some(pid)
        })
    }

    /// Returns the socket that the child listens on.
    pub fn child_address(&self) -> Address {
        Address::Unix(wait_for(LIMIT, "the child's socket", || {
            let directory = self.runtime_directories().pop()?;
            let own = fs::read_dir(directory).ok()?.flatten();
            own.flat_map(|entry| sockets_in(&entry.path())).next()
        }))
    }

    /// Sends a GET request directly to the child.
    pub fn child_get(&self, path: &str) -> HttpResponse {
        Connection::connect(&self.child_address()).ask(get(path))
    }

    /// Returns paddock's process ID.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Sends a signal to paddock.
    pub fn signal(&self, signal: Signal) {
        // The process is not reaped yet, so the ID is still its own.
        if self.exit.is_none() {
            let pid = rustix::process::Pid::from_child(&self.process);
            rustix::process::kill_process(pid, signal).expect("a process to signal");
        }
    }

    /// Returns the exit status once paddock has ended.
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        if self.exit.is_none() {
            self.exit = self.process.try_wait().expect("a child of ours");
        }
        self.exit
    }

    /// Waits for the exit.
    pub fn wait_exit(&mut self, limit: Duration) -> ExitStatus {
        wait_for(limit, "the end of paddock", || self.exit_status())
    }

    /// Sends a signal and waits for the exit.
    pub fn stop(&mut self, signal: Signal) -> ExitStatus {
        self.signal(signal);
        self.wait_exit(LIMIT)
    }

    /// Kills paddock with SIGKILL.
    pub fn kill9(&mut self) {
        let status = self.stop(Signal::KILL);
        assert_eq!(status.signal(), Some(Signal::KILL.as_raw()));
    }

    /// Returns all processes of this paddock, including itself.
    pub fn processes(&self) -> Vec<(Pid, String)> {
        processes_with_argument(&self.marker_argument())
    }

    /// Returns leftovers: processes and, if paddock exited by itself, files.
    pub fn leftovers(&self) -> Vec<String> {
        let processes = self.processes().into_iter();
        let mut left: Vec<String> = processes.map(|(_, line)| line).collect();
        if self.exit.is_some_and(|status| status.code().is_some()) {
            let directories = self.runtime_directories().into_iter();
            let files = directories.chain(sockets_in(self.directory()));
            left.extend(files.map(|path| path.display().to_string()));
        }
        left
    }

    fn marker_argument(&self) -> String {
        self.directory().display().to_string()
    }

    /// Returns the runtime directories in its directory.
    pub fn runtime_directories(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.directory()).expect("the directory");
        let paths = entries.flatten().map(|entry| entry.path());
        let named = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default();
            name.to_string_lossy().starts_with("paddock-")
        };
        paths.filter(named).collect()
    }
}

impl Drop for Paddock {
    fn drop(&mut self) {
        if self.exit_status().is_none() {
            let _ended = self.process.kill();
            self.exit = self.process.wait().ok();
        }
        if thread::panicking() {
            let lines = self.stderr.all().join("\n");
            let _shown = writeln!(io::stderr(), "--- paddock's standard error\n{lines}\n---");
            for (pid, _) in self.processes() {
                pid.signal(Signal::KILL);
            }
            return;
        }
        // A process that executes another program has no command line for a moment, so an empty
        // result may be wrong once.
        let start = now();
        let mut left = Vec::new();
        wait_until(LIMIT, "a look at what is left", || {
            left = self.leftovers();
            left.is_empty() || start.elapsed() > LIMIT / 2
        });
        assert!(left.is_empty(), "left behind: {left:#?}");
    }
}

fn addresses(listed: &Value) -> Vec<Address> {
    let listed = listed.as_str().expect("addresses");
    let listed = listed.split(", ").filter(|text| *text != "none");
    listed.map(Address::parse).collect()
}

fn sockets_in(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let sockets = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_socket()));
    sockets.map(|entry| entry.path()).collect()
}
