//! A paddock that runs.

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

use super::builder::{HELD, HELD_OPEN};
use super::process::with_words;
use super::{Address, Answer, Connection, LIMIT, Lines, Pid, get, now, post, wait_for, wait_until};

/// A paddock that runs, and the directory it runs in.
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
    /// Starts a command that serves, and waits until it says where.
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
            let ended = paddock.exited();
            assert!(serving.is_some() || ended.is_none(), "ended: {ended:?}");
            serving
        });
        let serving: Value = serde_json::from_str(&serving).expect("an event");
        paddock.public = addresses(&serving["listen"]);
        paddock.admin = addresses(&serving["admin"]);
        paddock
    }

    /// Where clients connect.
    pub fn public(&self) -> &Address {
        &self.public[0]
    }

    /// Every address where clients connect.
    pub fn public_addresses(&self) -> &[Address] {
        &self.public
    }

    /// Where the operator connects.
    pub fn admin(&self) -> &Address {
        &self.admin[0]
    }

    /// The directory that everything is in.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// What it says on standard error.
    pub fn stderr(&self) -> &Lines {
        &self.stderr
    }

    /// A new connection of a client.
    pub fn connect(&self) -> Connection {
        Connection::to(self.public())
    }

    /// Sends a request on a connection of its own, and reads the answer.
    pub fn ask(&self, request: impl AsRef<[u8]>) -> Answer {
        self.connect().ask(request)
    }

    /// Gets a path.
    pub fn get(&self, path: &str) -> Answer {
        self.ask(get(path))
    }

    /// Posts JSON to a path.
    pub fn post(&self, path: &str, body: &str) -> Answer {
        self.ask(post(path, body))
    }

    /// Gets a path of the admin plane.
    pub fn admin_get(&self, path: &str) -> Answer {
        Connection::to(self.admin()).ask(get(path))
    }

    /// The whole status.
    pub fn status(&self) -> Value {
        self.admin_get("/api/status").json()
    }

    /// The model's part of the status.
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

    /// Lets an engine go on that [`Builder::held_back`](super::Builder::held_back) holds.
    pub fn let_load(&self) {
        fs::write(self.directory().join(HELD), "").expect("a file");
    }

    /// Lets streams end that [`Builder::streams_held_open`](super::Builder::streams_held_open) holds.
    pub fn let_end(&self) {
        fs::write(self.directory().join(HELD_OPEN), "").expect("a file");
    }

    /// Waits until so many requests are with the child.
    pub fn wait_in_flight(&self, count: u64) {
        wait_until(LIMIT, &format!("{count} in flight"), || {
            self.model()["in_flight"] == count
        });
    }

    /// Waits until so many requests are queued.
    pub fn wait_queued(&self, count: u64) {
        wait_until(LIMIT, &format!("{count} queued"), || {
            self.model()["queued"] == count
        });
    }

    /// The child's process, as soon as there is one that is the child and no longer the shim.
    pub fn child(&self) -> Pid {
        wait_for(LIMIT, "a child", || {
            let number = self.model()["pid"].as_i64()?;
            let pid = Pid::find(i32::try_from(number).ok()?)?;
            let line = fs::read(format!("/proc/{number}/cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line);
            (!line.is_empty() && !line.contains("__exec")).then_some(pid)
        })
    }

    /// The socket the child listens on now.
    pub fn child_address(&self) -> Address {
        Address::Unix(wait_for(LIMIT, "the child's socket", || {
            let directory = self.runtime_directories().pop()?;
            let own = fs::read_dir(directory).ok()?.flatten();
            own.flat_map(|entry| sockets_in(&entry.path())).next()
        }))
    }

    /// Asks the child itself, past paddock.
    pub fn child_get(&self, path: &str) -> Answer {
        Connection::to(&self.child_address()).ask(get(path))
    }

    /// Its own process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Sends a signal to paddock.
    pub fn signal(&self, signal: Signal) {
        // Not reaped yet, so the number is its own.
        if self.exit.is_none() {
            let pid = rustix::process::Pid::from_child(&self.process);
            rustix::process::kill_process(pid, signal).expect("a process to signal");
        }
    }

    /// How it ended, if it has.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        if self.exit.is_none() {
            self.exit = self.process.try_wait().expect("a child of ours");
        }
        self.exit
    }

    /// Waits for its end.
    pub fn wait_exit(&mut self, limit: Duration) -> ExitStatus {
        wait_for(limit, "the end of paddock", || self.exited())
    }

    /// Sends a signal and waits for the end.
    pub fn stop(&mut self, signal: Signal) -> ExitStatus {
        self.signal(signal);
        self.wait_exit(LIMIT)
    }

    /// Kills paddock as nothing can be prepared for.
    pub fn kill9(&mut self) {
        let status = self.stop(Signal::KILL);
        assert_eq!(status.signal(), Some(Signal::KILL.as_raw()));
    }

    /// Its processes, paddock's own among them.
    pub fn processes(&self) -> Vec<(Pid, String)> {
        with_words(&self.words())
    }

    /// What is left that should not be: processes, and files where it ended by itself.
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

    fn words(&self) -> String {
        self.directory().display().to_string()
    }

    /// The runtime directories in its directory.
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
        if self.exited().is_none() {
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
        // One that becomes another program has no words for a moment: that a look finds nothing does not
        // say that the next one will not.
        let begun = now();
        let mut left = Vec::new();
        wait_until(LIMIT, "a look at what is left", || {
            left = self.leftovers();
            left.is_empty() || begun.elapsed() > LIMIT / 2
        });
        assert!(left.is_empty(), "left behind: {left:#?}");
    }
}

fn addresses(listed: &Value) -> Vec<Address> {
    let listed = listed.as_str().expect("addresses");
    let listed = listed.split(", ").filter(|text| *text != "nowhere");
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
