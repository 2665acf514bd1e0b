//! Drains a child's output, always: a child that writes into a full pipe stands still.

use std::{
    future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    sync::watch,
    task::{self, JoinSet},
    time::{self, Instant},
};

use crate::{
    Logs,
    event::{self, Report},
    lines::{Lines, text},
    logs::{LINE_MAX, Said},
    process::Process,
};

/// Bytes kept of a line of stdout: a ready event carries a description of the model.
const EVENT_MAX: usize = 64 * 1024;

/// Bytes read at once: as many as a pipe holds.
const PIECE: usize = 64 * 1024;

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
        let begin = logs.begin_child();
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
    /// Takes all lines that a piece of the stream ends.
    fn take(&self, lines: &mut Lines, piece: &[u8]) {
        let now = Instant::now();
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = now;
        self.write(now, |line| lines.push(piece, line));
    }

    /// Takes the rest of the stream.
    fn end(&self, lines: &mut Lines) {
        self.write(Instant::now(), |line| lines.end(line));
        self.say_more(self.logs.child_ended());
    }

    fn write(&self, now: Instant, lines: impl FnOnce(&mut dyn FnMut(&[u8]))) {
        let mut reported = None;
        let mut batch = self.logs.batch(now);
        lines(&mut |line| match self.report(line) {
            Some(report) => reported = Some(report),
            None => batch.push(&text(line, LINE_MAX)),
        });
        for said in batch.finish() {
            match said {
                Said::Line(line) => {
                    tracing::info!(target: "child", name = %self.name, stream = self.stream, "{line}");
                }
                Said::More(held) => self.say_more(held),
            }
        }
        if let Some(report) = reported {
            tracing::trace!(target: "child", name = %self.name, ?report);
            self.reports.send_replace(Some(report));
        }
    }

    fn report(&self, line: &[u8]) -> Option<Report> {
        (self.stream == "stdout").then(|| event::parse(line))?
    }

    /// Tells of lines that are not said, if there are any.
    fn say_more(&self, held: u64) {
        if held > 0 {
            let (name, kept) = (&self.name, Logs::LINES);
            tracing::info!(
                target: "child", %name, held,
                "{held} more lines; `paddock logs {name}` has the last {kept}"
            );
        }
    }
}

/// Reads a stream to its end.
async fn read(mut stream: impl AsyncRead + Unpin, sink: Sink, limit: usize) {
    let mut lines = Lines::new(limit);
    let mut piece = vec![0; PIECE];
    loop {
        let read = tokio::select! {
            biased;
            read = stream.read(&mut piece) => read,
            () = until(sink.logs.due()) => {
                sink.say_more(sink.logs.let_up(Instant::now()));
                continue;
            }
        };
        match read {
            Ok(0) => break,
            Ok(n) => sink.take(&mut lines, &piece[..n]),
            Err(error) => {
                tracing::warn!(name = %sink.name, stream = sink.stream, %error, "cannot read");
                break;
            }
        }
        // A child that writes without a pause keeps nothing else on this thread waiting.
        task::yield_now().await;
    }
    sink.end(&mut lines);
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => time::sleep_until(time).await,
        None => future::pending().await,
    }
}
