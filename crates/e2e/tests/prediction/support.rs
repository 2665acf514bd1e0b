//! A llama-server that loads a model, says what it took, and ends.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use paddock_e2e::harness::{LIMIT, real};
use paddock_gguf::inspect_parts;
use paddock_gguf::memory::{MemoryOptions, MemoryPrediction, predict};
use serde_json::Value;

pub(crate) const MIB: u64 = 1 << 20;

/// What the engine says it took, in MiB, each rounded down.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reported {
    /// Weights, without those that are rearranged for the processor and so there twice.
    pub(crate) model: u64,
    pub(crate) context: u64,
    pub(crate) compute: u64,
}

/// A model as it is predicted, and as the engine has reported it.
#[derive(Debug)]
pub(crate) struct Compared {
    args: String,
    pub(crate) predicted: MemoryPrediction,
    pub(crate) reported: Reported,
}

/// Predicts a model with the engine's own arguments, and runs it with them.
pub(crate) fn compare(model: &Path, args: &str) -> Compared {
    let words: Vec<&str> = args.split_whitespace().collect();
    let parts = inspect_parts(model).expect("a model");
    let options = MemoryOptions::default().with_args(&words);
    Compared {
        args: args.to_owned(),
        predicted: predict(&parts, &options).expect("a prediction"),
        reported: report(model, &words),
    }
}

impl Compared {
    /// Checks weights and caches, to a part in twenty and to the MiB that the report is rounded to.
    pub(crate) fn check(&self) -> &Self {
        let cache = self.predicted.kv() + self.predicted.recurrent();
        let predicted = self.predicted.weights() + cache;
        let reported = (self.reported.model + self.reported.context) * MIB;
        assert!(predicted.abs_diff(reported) <= reported / 20, "{self}");
        assert_eq!(cache / MIB, self.reported.context, "{self}");
        self
    }

    /// Checks the estimated buffers, to three parts in ten.
    pub(crate) fn check_compute(&self) -> &Self {
        let reported = self.reported.compute * MIB;
        let off = self.predicted.compute.abs_diff(reported);
        // What is rounded down may be off by all of a MiB.
        assert!(off <= reported * 3 / 10 + MIB, "{self}");
        self
    }
}

impl std::fmt::Display for Compared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (told, real) = (&self.predicted, self.reported);
        let mib = |bytes: u64| format!("{}.{:02}", bytes / MIB, bytes % MIB * 100 / MIB);
        let mut line = format!("{}: ", self.args);
        for (what, told, real) in [
            ("weights", told.weights(), real.model),
            ("context", told.kv() + told.recurrent(), real.context),
            ("compute", told.compute, real.compute),
        ] {
            write!(line, "{what} {} predicted, {real} reported; ", mib(told))?;
        }
        f.write_str(line.trim_end())
    }
}

/// Runs the engine until the model is ready, ends it, and reads what it says on the way out.
fn report(model: &Path, args: &[&str]) -> Reported {
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("s.sock");
    let errors = directory.path().join("errors");
    let mut command = Command::new(real::engine());
    command.arg("--model").arg(model).arg("--host").arg(&socket);
    // One thread: several wait for each other by spinning, which on a busy machine takes for ever.
    command.args(["--threads", "1", "--threads-batch", "1", "--no-warmup"]);
    command.args(["--fit", "off", "--log-jsonl"]).args(args);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command.stderr(File::create(&errors).expect("a file"));
    let mut child = Ended(command.spawn().expect("an engine"));
    let lines = lines(child.0.stdout.take().expect("an output"));

    let mut said = String::new();
    while let Ok(line) = lines.recv_timeout(LIMIT) {
        let event: Value = serde_json::from_str(&line).unwrap_or_default();
        if event["type"] == "fit_memory_breakdown" {
            return read(&event["data"]);
        }
        let message = event["msg"].as_str().unwrap_or_default();
        if message.contains("listening on") {
            wait_for_its_loop(&socket);
            child.terminate();
        }
        said.push_str(&line);
    }
    let errors = std::fs::read_to_string(errors).unwrap_or_default();
    panic!("no breakdown with {args:?}: {said} {errors}");
}

/// Reads lines as they come, so that waiting for one can have a limit.
fn lines(output: ChildStdout) -> Receiver<String> {
    let (send, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

/// Asks for what only the engine's main loop answers: a signal that comes before it runs is lost.
fn wait_for_its_loop(socket: &Path) {
    let mut stream = UnixStream::connect(socket).expect("a connection");
    stream.set_read_timeout(Some(LIMIT)).expect("a time limit");
    let request = b"GET /slots HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n";
    stream.write_all(request).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// Sums the rows, but for copies that are only there because the processor likes them better.
fn read(data: &Value) -> Reported {
    assert_eq!(data["unit"], "MiB");
    let rows = data["rows"].as_array().expect("rows");
    let sum = |rows: &[&Value], key| rows.iter().filter_map(|row| row[key].as_u64()).sum();
    let all: Vec<&Value> = rows.iter().collect();
    let own: Vec<&Value> = rows
        .iter()
        .filter(|row| row["kind"] != "buffer_type")
        .collect();
    Reported {
        model: sum(&own, "model"),
        context: sum(&all, "context"),
        compute: sum(&all, "compute"),
    }
}

/// A child that does not outlive its test.
struct Ended(Child);

impl Ended {
    fn terminate(&self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("a signal");
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}
