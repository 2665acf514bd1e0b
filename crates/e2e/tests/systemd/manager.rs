//! A service manager of the test's own: a socket at which it is told how paddock is.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use paddock_e2e::harness::{LIMIT, PaddockBuilder, now, wait_for};
use tempfile::TempDir;

/// Says to the reader that it may go.
const OVER: &[u8] = b"over";

/// A notify socket that is read all the time, and what has come there.
pub(crate) struct Manager {
    directory: TempDir,
    told: Told,
    reader: Option<thread::JoinHandle<()>>,
}

/// Messages, and when they came.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<(Instant, String)>>>);

impl Manager {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(at(directory.path())).unwrap();
        let told = Told::default();
        let to = told.clone();
        let reader = thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length) = socket.recv(&mut bytes) {
                if &bytes[..length] == OVER {
                    return;
                }
                let message = String::from_utf8_lossy(&bytes[..length]).into_owned();
                to.0.lock().unwrap().push((now(), message));
            }
        });
        Self {
            directory,
            told,
            reader: Some(reader),
        }
    }

    /// Has paddock tell it.
    pub(crate) fn of(&self, builder: PaddockBuilder) -> PaddockBuilder {
        builder.env("NOTIFY_SOCKET", at(self.directory.path()).to_str().unwrap())
    }

    /// All that it was told.
    pub(crate) fn all(&self) -> Vec<String> {
        let told = self.told.0.lock().unwrap();
        told.iter().map(|(_, message)| message.clone()).collect()
    }

    /// What it was told but for the status and signs of life, from the number-th on.
    pub(crate) fn course(&self, from: usize) -> Vec<String> {
        let told = self.all().into_iter();
        let course = told.filter(|message| !is_besides(message));
        course.skip(from).collect()
    }

    /// When it was given signs of life.
    pub(crate) fn signs_of_life(&self) -> Vec<Instant> {
        let told = self.told.0.lock().unwrap();
        let signs = told.iter().filter(|(_, message)| message == "WATCHDOG=1\n");
        signs.map(|(at, _)| *at).collect()
    }

    /// Waits until the course has so many messages, and returns them.
    pub(crate) fn wait_course(&self, count: usize) -> Vec<String> {
        wait_for(LIMIT, &format!("{count} messages"), || {
            let course = self.course(0);
            (course.len() >= count).then_some(course)
        })
    }

    /// Waits until the last status is this.
    pub(crate) fn wait_status(&self, line: &str) {
        let expected = format!("STATUS={line}\n");
        wait_for(LIMIT, &format!("the status {line:?}"), || {
            let mut told = self.all().into_iter();
            let last = told.rfind(|message| message.starts_with("STATUS="));
            (last? == expected).then_some(())
        });
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let over = UnixDatagram::unbound().unwrap();
        let sent = over.send_to(OVER, at(self.directory.path()));
        if let Some(reader) = self.reader.take()
            && sent.is_ok()
        {
            let _read = reader.join();
        }
    }
}

/// Where the socket is in a directory.
fn at(directory: &Path) -> PathBuf {
    directory.join("notify")
}

fn is_besides(message: &str) -> bool {
    message.starts_with("STATUS=") || message.starts_with("WATCHDOG=")
}

/// The number behind a name.
pub(crate) fn number(message: &str, name: &str) -> u64 {
    let mut lines = message.lines();
    let found = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    found.expect(name).parse().unwrap()
}

/// The time as `CLOCK_MONOTONIC` has it.
pub(crate) fn monotonic() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap();
    Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap())
}

/// A notify socket that nobody reads, and that is full.
pub(crate) struct Full {
    directory: TempDir,
    socket: UnixDatagram,
}

impl Full {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(at(directory.path())).unwrap();
        socket.set_nonblocking(true).unwrap();
        let filling = UnixDatagram::unbound().unwrap();
        filling.connect(at(directory.path())).unwrap();
        filling.set_nonblocking(true).unwrap();
        while filling.send(b"X_FULL=1").is_ok() {}
        Self { directory, socket }
    }

    pub(crate) fn of(&self, builder: PaddockBuilder) -> PaddockBuilder {
        builder.env("NOTIFY_SOCKET", at(self.directory.path()).to_str().unwrap())
    }

    /// Reads what has come by now, but for what it was filled with.
    pub(crate) fn read(&self) -> Vec<String> {
        let mut told = Vec::new();
        let mut bytes = [0; 4096];
        while let Ok(length) = self.socket.recv(&mut bytes) {
            told.push(String::from_utf8_lossy(&bytes[..length]).into_owned());
        }
        told.retain(|message| message != "X_FULL=1");
        told
    }
}
