//! Drains a child's output, always: a child that writes into a full pipe stands still.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    sync::watch,
    task::JoinSet,
    time::{self, Instant},
};

use crate::{
    Logs,
    event::{self, Report},
    lines::{Lines, text},
    logs::LINE_MAX,
    process::Process,
};

/// Bytes kept of a line of stdout: a ready event carries a description of the model.
const EVENT_MAX: usize = 64 * 1024;

/// Bytes read at once.
const CHUNK: usize = 16 * 1024;

/// The longest time that is waited for the last words of a child that has exited.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// The output of one generation.
#[derive(Debug)]
pub(crate) struct Output {
    readers: JoinSet<()>,
    /// Keeps `seen` open after the child has closed its stdout.
    _reports: watch::Sender<Option<Report>>,
    seen: watch::Receiver<Option<Report>>,
    heard: Arc<Mutex<Instant>>,
    logs: Logs,
    begin: u64,
}

impl Output {
    /// Begins to drain the output of `process` into `logs`.
    pub(crate) fn drain(process: &mut Process, name: &Arc<str>, logs: &Logs) -> Self {
        let (stdout, stderr) = process.output();
        let reports = watch::Sender::new(None);
        let heard = Arc::new(Mutex::new(Instant::now()));
        let sink = |stream| Sink {
            stream,
            name: Arc::clone(name),
            logs: logs.clone(),
            reports: reports.clone(),
            heard: Arc::clone(&heard),
        };
        let begin = logs.end();
        let mut readers = JoinSet::new();
        if let Some(stdout) = stdout {
            readers.spawn(read(stdout, sink("stdout"), EVENT_MAX));
        }
        if let Some(stderr) = stderr {
            readers.spawn(read(stderr, sink("stderr"), LINE_MAX));
        }
        let seen = reports.subscribe();
        Self {
            readers,
            _reports: reports,
            seen,
            heard,
            logs: logs.clone(),
            begin,
        }
    }

    /// Waits until the child says something new about its state, and returns the last it said.
    pub(crate) async fn report(&mut self) -> Option<Report> {
        // The sender is this struct's own, so the channel is open.
        let _ = self.seen.changed().await;
        *self.seen.borrow_and_update()
    }

    /// Tells whether the last that the child said of its state is that it is ready.
    pub(crate) fn said_ready(&self) -> bool {
        matches!(*self.seen.borrow(), Some(Report::Ready | Report::Sleeping))
    }

    /// Returns when the child last wrote anything.
    pub(crate) fn last_heard(&self) -> Instant {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the rest of an exited child's output, for a bounded time: a process that has left the group
    /// may hold the pipe open for ever.
    pub(crate) async fn finish(&mut self) {
        let all = async { while self.readers.join_next().await.is_some() {} };
        if time::timeout(LAST_WORDS, all).await.is_err() {
            self.readers.shutdown().await;
        }
    }

    /// Returns the last `n` lines of this generation.
    pub(crate) fn tail(&self, n: usize) -> Vec<String> {
        self.logs.tail(self.begin, n)
    }
}

/// Where the lines of one stream go.
#[derive(Debug)]
struct Sink {
    stream: &'static str,
    name: Arc<str>,
    logs: Logs,
    reports: watch::Sender<Option<Report>>,
    heard: Arc<Mutex<Instant>>,
}

impl Sink {
    fn line(&self, line: &[u8]) {
        if self.stream == "stdout"
            && let Some(report) = event::parse(line)
        {
            tracing::trace!(target: "child", name = %self.name, ?report);
            self.reports.send_replace(Some(report));
            return;
        }
        let line = text(line, LINE_MAX);
        tracing::info!(target: "child", name = %self.name, stream = self.stream, "{line}");
        self.logs.push(line);
    }

    fn touch(&self) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

/// Reads a stream to its end.
async fn read(mut stream: impl AsyncRead + Unpin, sink: Sink, limit: usize) {
    let mut lines = Lines::new(limit);
    let mut chunk = vec![0; CHUNK];
    loop {
        match stream.read(&mut chunk).await {
            Ok(0) => break,
            Ok(n) => {
                sink.touch();
                lines.push(&chunk[..n], |line| sink.line(line));
            }
            Err(error) => {
                tracing::warn!(name = %sink.name, stream = sink.stream, %error, "cannot read");
                break;
            }
        }
    }
    lines.end(|line| sink.line(line));
}
