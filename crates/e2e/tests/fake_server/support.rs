//! Starts the stand-in, speaks raw HTTP to it, and waits with a limit.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// The longest wait for anything that has to happen.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);
/// How long something is watched that must not happen.
pub(crate) const WATCH_TIME: Duration = Duration::from_millis(300);

/// A running stand-in; dropped, it is gone.
pub(crate) struct Fake {
    pid: Pid,
    exit: Receiver<ExitStatus>,
    exited: Option<ExitStatus>,
    pub(crate) stdout: Lines,
    pub(crate) stderr: Lines,
    pub(crate) stdin: Option<ChildStdin>,
    dir: Dir,
}

impl Fake {
    /// Starts it on a unix socket.
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::start_with(args, &[])
    }

    /// Starts it as a router would.
    pub(crate) fn start_for_router(args: &[&str]) -> Self {
        Self::start_with(args, &[("LLAMA_SERVER_ROUTER_PORT", "1")])
    }

    fn start_with(args: &[&str], env: &[(&str, &str)]) -> Self {
        let dir = Dir::new();
        let socket = dir.0.join("child.sock");
        let mut child = Command::new(env!("CARGO_BIN_EXE_fake-llama-server"))
            .arg("--host")
            .arg(&socket)
            .args(args)
            .env_remove("LLAMA_SERVER_ROUTER_PORT")
            .envs(env.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            pid: Pid::from_child(&child),
            stdin: child.stdin.take(),
            stdout: Lines::of(child.stdout.take().unwrap()),
            stderr: Lines::of(child.stderr.take().unwrap()),
            exit: watch(child),
            exited: None,
            dir,
        }
    }

    /// Starts it and waits until it is ready.
    pub(crate) fn ready(args: &[&str]) -> Self {
        let mut fake = Self::start(args);
        fake.stderr.wait_for("listening on");
        fake
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.0.join("child.sock")
    }

    /// A new connection, as soon as there is a listener.
    pub(crate) fn connect(&self) -> Connection {
        let path = self.socket();
        Connection::over(wait_until("a listener", || UnixStream::connect(&path).ok()))
    }

    /// Asks on a connection of its own and returns all of the answer.
    pub(crate) fn ask(&self, request: &str) -> Answer {
        let mut connection = self.connect();
        connection.send(request);
        connection.answer()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask(&get(path))
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> Answer {
        self.ask(&post(path, body))
    }

    /// One of the counts in `/__fake/state`.
    pub(crate) fn state(&self, name: &str) -> u64 {
        self.get("/__fake/state").json()[name].as_u64().unwrap()
    }

    pub(crate) fn wait_for_state(&self, name: &str, wanted: u64) {
        wait_until(&format!("{name} = {wanted}"), || {
            (self.state(name) == wanted).then_some(())
        });
    }

    /// Which slots are busy.
    pub(crate) fn busy_slots(&self) -> Vec<bool> {
        let slots = self.get("/slots").json();
        let busy = |slot: &Value| slot["is_processing"].as_bool().unwrap();
        slots.as_array().unwrap().iter().map(busy).collect()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).unwrap();
    }

    /// Waits for the end of the process.
    pub(crate) fn exit(&mut self) -> ExitStatus {
        let status = self.exit.recv_timeout(LIMIT).expect("the process ends");
        self.exited = Some(status);
        status
    }

    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        self.exit().code()
    }

    pub(crate) fn exit_signal(&mut self) -> Option<i32> {
        self.exit().signal()
    }

    /// Checks that the process goes on living for a while.
    pub(crate) fn assert_stays(&mut self) {
        self.assert_stays_for(WATCH_TIME);
    }

    pub(crate) fn assert_stays_for(&mut self, time: Duration) {
        if let Ok(status) = self.exit.recv_timeout(time) {
            self.exited = Some(status);
            panic!("ended with {status}");
        }
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        if self.exited.is_none() && self.exit.try_recv().is_err() {
            let _ = kill_process(self.pid, Signal::KILL);
            let _ = self.exit.recv_timeout(LIMIT);
        }
    }
}

fn watch(mut child: Child) -> Receiver<ExitStatus> {
    let (tell, exit) = channel();
    thread::spawn(move || {
        let _ = tell.send(child.wait().unwrap());
    });
    exit
}

/// What a process prints, line by line.
pub(crate) struct Lines {
    coming: Receiver<String>,
    pub(crate) seen: Vec<String>,
}

impl Lines {
    fn of(pipe: impl Read + Send + 'static) -> Self {
        let (tell, coming) = channel();
        thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            coming,
            seen: Vec::new(),
        }
    }

    /// Waits for a line with these words, and returns it.
    pub(crate) fn wait_for(&mut self, words: &str) -> String {
        loop {
            let line = self.coming.recv_timeout(LIMIT);
            let line = line.unwrap_or_else(|_| panic!("no '{words}' in {:#?}", self.seen));
            self.seen.push(line.clone());
            if line.contains(words) {
                return line;
            }
        }
    }

    /// All lines, once the process has ended.
    pub(crate) fn all(&mut self) -> String {
        self.seen.extend(self.coming.iter());
        self.seen.join("\n")
    }

    pub(crate) fn count_so_far(&mut self) -> usize {
        self.seen.extend(self.coming.try_iter());
        self.seen.iter().map(|line| line.len() + 1).sum()
    }
}

/// A connection that is spoken to in bytes.
pub(crate) struct Connection {
    stream: Box<dyn Stream>,
    buffer: Vec<u8>,
}

trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

impl Connection {
    pub(crate) fn over(stream: UnixStream) -> Self {
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        Self::of(stream)
    }

    pub(crate) fn of(stream: impl Read + Write + 'static) -> Self {
        Self {
            stream: Box::new(stream),
            buffer: Vec::new(),
        }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Sends as much as the server takes before it closes.
    pub(crate) fn send_what_goes(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Reads until these bytes have come, and returns everything up to their end.
    pub(crate) fn until(&mut self, mark: &str) -> String {
        let mark = mark.as_bytes();
        loop {
            let found = self
                .buffer
                .windows(mark.len())
                .position(|part| part == mark);
            if let Some(at) = found {
                let taken = self.buffer.drain(..at + mark.len()).collect();
                return String::from_utf8(taken).unwrap();
            }
            assert!(self.fill(), "the connection ended before {mark:?}");
        }
    }

    /// Reads one answer with a counted body, or none.
    pub(crate) fn answer(&mut self) -> Answer {
        let head = self.until("\r\n\r\n");
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("Content-Length: "))
            .map_or(0, |length| length.parse().unwrap());
        while self.buffer.len() < length {
            assert!(self.fill(), "the connection ended inside a body");
        }
        let body = self.buffer.drain(..length).collect();
        let body = String::from_utf8(body).unwrap();
        Answer { head, body }
    }

    /// Everything until the server closes.
    pub(crate) fn rest(&mut self) -> String {
        while self.fill() {}
        String::from_utf8(std::mem::take(&mut self.buffer)).unwrap()
    }

    /// Whether more came; false is the end.
    fn fill(&mut self) -> bool {
        let mut piece = [0; 4096];
        let taken = loop {
            match self.stream.read(&mut piece) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                taken => break taken,
            }
        };
        match taken {
            Ok(taken) => {
                self.buffer.extend_from_slice(&piece[..taken]);
                taken > 0
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("nothing to read: {error:?}"),
        }
    }
}

/// An answer with its body.
pub(crate) struct Answer {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.head[9..12].parse().unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
}

pub(crate) fn post(path: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// A request for a stream of so many tokens.
pub(crate) fn stream_of(tokens: u64) -> String {
    let body = format!(r#"{{"prompt":"a","stream":true,"n_predict":{tokens}}}"#);
    post("/completion", &body)
}

/// A request for so many tokens at once.
pub(crate) fn whole_of(tokens: u64) -> String {
    post(
        "/completion",
        &format!(r#"{{"prompt":"a","n_predict":{tokens}}}"#),
    )
}

/// Looks again and again until there is something.
#[expect(
    clippy::disallowed_methods,
    reason = "looks at another process, which cannot wake who waits for it"
)]
pub(crate) fn wait_until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < LIMIT, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// How long something takes.
#[expect(
    clippy::disallowed_methods,
    reason = "measures another process, which knows no paused clock"
)]
pub(crate) fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// A directory that is gone when dropped.
pub(crate) struct Dir(PathBuf);

impl Dir {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("paddock-fake-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// Makes a file with this content.
    pub(crate) fn file(&self, name: &str, content: &[u8]) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
