//! Reads a child's output at all times: a child that writes into a full pipe blocks.

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
    line_splitter::{LineSplitter, decode_line},
    logs::{ForwardedOutput, MAX_LINE_BYTES},
    process::Process,
    state_report::{self, StateReport},
};

/// The maximum number of bytes kept of a line of stdout: a ready event carries a description of the model.
const MAX_REPORT_LINE_BYTES: usize = 64 * 1024;

/// The number of bytes read at once: as many as a pipe holds.
const READ_BUFFER_BYTES: usize = 64 * 1024;

/// Longest wait for the last output of an exited child.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(200);

/// The output of one generation.
#[derive(Debug)]
pub(crate) struct Output {
    readers: JoinSet<()>,
    /// Keeps `latest_report` open after the child has closed its stdout.
    _reports: watch::Sender<Option<StateReport>>,
    latest_report: watch::Receiver<Option<StateReport>>,
    last_write: Arc<Mutex<Instant>>,
    logs: Logs,
    begin: u64,
}

impl Output {
    /// Starts to read the output of `process` into `logs`.
    pub(crate) fn drain(process: &mut Process, name: &Arc<str>, logs: &Logs) -> Self {
        let (stdout, stderr) = process.take_output();
        let reports = watch::Sender::new(None);
        let last_write = Arc::new(Mutex::new(Instant::now()));
        let sink = |stream| LineSink {
            stream,
            name: Arc::clone(name),
            logs: logs.clone(),
            reports: reports.clone(),
            last_write: Arc::clone(&last_write),
        };
        let begin = logs.begin_child();
        let mut readers = JoinSet::new();
        if let Some(stdout) = stdout {
            readers.spawn(read(stdout, sink("stdout"), MAX_REPORT_LINE_BYTES));
        }
        if let Some(stderr) = stderr {
            readers.spawn(read(stderr, sink("stderr"), MAX_LINE_BYTES));
        }
        let latest_report = reports.subscribe();
        Self {
            readers,
            _reports: reports,
            latest_report,
            last_write,
            logs: logs.clone(),
            begin,
        }
    }

    /// Waits for another state report, and returns the latest one.
    pub(crate) async fn next_report(&mut self) -> Option<StateReport> {
        // This struct holds a sender, so the channel is open.
        let _ = self.latest_report.changed().await;
        *self.latest_report.borrow_and_update()
    }

    /// Returns true if the latest state report says that the child is ready.
    pub(crate) fn has_reported_ready(&self) -> bool {
        matches!(
            *self.latest_report.borrow(),
            Some(StateReport::Ready | StateReport::Sleeping)
        )
    }

    /// Returns the time of the child's last output.
    pub(crate) fn last_output(&self) -> Instant {
        *self
            .last_write
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the rest of an exited child's output, for a bounded time: a process that has left the group may
    /// hold the pipe open for ever.
    pub(crate) async fn finish(&mut self) {
        let all = async { while self.readers.join_next().await.is_some() {} };
        if time::timeout(DRAIN_TIMEOUT, all).await.is_err() {
            self.readers.shutdown().await;
        }
    }

    /// Returns the last `n` lines of this generation.
    pub(crate) fn tail(&self, n: usize) -> Vec<String> {
        self.logs.tail(self.begin, n)
    }
}

/// The destination of the lines of one stream.
#[derive(Debug)]
struct LineSink {
    stream: &'static str,
    name: Arc<str>,
    logs: Logs,
    reports: watch::Sender<Option<StateReport>>,
    last_write: Arc<Mutex<Instant>>,
}

impl LineSink {
    /// Writes the lines that end in a piece of the stream.
    fn take(&self, lines: &mut LineSplitter, piece: &[u8]) {
        let now = Instant::now();
        *self
            .last_write
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = now;
        self.write(now, |line| lines.push(piece, line));
    }

    /// Writes the rest of the stream.
    fn end(&self, lines: &mut LineSplitter) {
        self.write(Instant::now(), |line| lines.end(line));
        self.log_suppressed(self.logs.take_suppressed());
    }

    fn write(&self, now: Instant, lines: impl FnOnce(&mut dyn FnMut(&[u8]))) {
        let mut reported = None;
        let mut batch = self.logs.batch(now);
        lines(&mut |line| match self.report(line) {
            Some(report) => reported = Some(report),
            None => batch.push(&decode_line(line, MAX_LINE_BYTES)),
        });
        for forwarded in batch.finish() {
            match forwarded {
                ForwardedOutput::Line(line) => {
                    tracing::info!(target: "child", name = %self.name, stream = self.stream, "{line}");
                }
                ForwardedOutput::Suppressed(held) => self.log_suppressed(held),
            }
        }
        if let Some(report) = reported {
            tracing::trace!(target: "child", name = %self.name, ?report);
            self.reports.send_replace(Some(report));
        }
    }

    fn report(&self, line: &[u8]) -> Option<StateReport> {
        (self.stream == "stdout").then(|| state_report::parse_state_line(line))?
    }

    /// Logs the number of suppressed lines, if there are any.
    fn log_suppressed(&self, held: u64) {
        if held > 0 {
            let (name, kept) = (&self.name, Logs::MAX_LINES);
            tracing::info!(
                target: "child", %name, held,
                "{held} lines suppressed; `paddock logs {name}` shows the last {kept}"
            );
        }
    }
}

/// Reads a stream to its end.
async fn read(mut stream: impl AsyncRead + Unpin, sink: LineSink, limit: usize) {
    let mut lines = LineSplitter::new(limit);
    let mut piece = vec![0; READ_BUFFER_BYTES];
    loop {
        let read = tokio::select! {
            biased;
            read = stream.read(&mut piece) => read,
            () = until(sink.logs.gap_end()) => {
                sink.log_suppressed(sink.logs.end_gap(Instant::now()));
                continue;
            }
        };
        match read {
            Ok(0) => break,
            Ok(n) => sink.take(&mut lines, &piece[..n]),
            Err(error) => {
                tracing::warn!(name = %sink.name, stream = sink.stream, %error, "cannot read the child's output");
                break;
            }
        }
        // A child that writes without a pause must not block other tasks of this thread.
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
