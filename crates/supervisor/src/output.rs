//! Reads a child's stdout and stderr without pause, because a child that writes into a full pipe blocks.

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
use tokio_util::sync::CancellationToken;

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

/// Longest wait for an exited child's output to end.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(200);

/// The number of times that output is still read after [`DRAIN_TIMEOUT`]: more than both pipes of a child hold, and
/// bounded, because a process that the child has left may never stop writing.
const MAX_LATE_READS: u32 = 4;

/// The output of one child.
#[derive(Debug)]
pub(crate) struct Output {
    readers: JoinSet<()>,
    /// Cancelled when the readers should read what the pipes hold, and end.
    closing: CancellationToken,
    /// Keeps `latest_report` open after the child has closed its stdout.
    _reports: watch::Sender<Option<StateReport>>,
    latest_report: watch::Receiver<Option<StateReport>>,
    last_write: Arc<Mutex<Instant>>,
    logs: Logs,
    /// The number of the child's first line in `logs`.
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
        let (mut readers, closing) = (JoinSet::new(), CancellationToken::new());
        if let Some(stdout) = stdout {
            let sink = sink("stdout");
            readers.spawn(read(stdout, sink, MAX_REPORT_LINE_BYTES, closing.clone()));
        }
        if let Some(stderr) = stderr {
            readers.spawn(read(
                stderr,
                sink("stderr"),
                MAX_LINE_BYTES,
                closing.clone(),
            ));
        }
        let latest_report = reports.subscribe();
        Self {
            readers,
            closing,
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

    /// Reads the rest of an exited child's output.
    ///
    /// The wait for its end is bounded, because a process that has left the group may hold the pipe open for ever. What
    /// the pipes hold by then is read in any case: on a busy machine the readers may not have run at all.
    pub(crate) async fn finish(&mut self) {
        let closing = self.closing.clone();
        let all = async { while self.readers.join_next().await.is_some() {} };
        let close = async {
            time::sleep(DRAIN_TIMEOUT).await;
            closing.cancel();
            future::pending::<()>().await;
        };
        tokio::select! {
            () = all => {}
            () = close => {}
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

/// Reads a stream to its end, or until nothing more is there once `closing` is cancelled.
async fn read(
    mut stream: impl AsyncRead + Unpin,
    sink: LineSink,
    limit: usize,
    closing: CancellationToken,
) {
    let mut lines = LineSplitter::new(limit);
    let mut piece = vec![0; READ_BUFFER_BYTES];
    let mut late_reads = 0;
    while late_reads < MAX_LATE_READS {
        let read = tokio::select! {
            biased;
            read = stream.read(&mut piece) => read,
            () = closing.cancelled() => break,
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
        late_reads += u32::from(closing.is_cancelled());
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

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    fn sink(logs: &Logs) -> LineSink {
        LineSink {
            stream: "stderr",
            name: "m".into(),
            logs: logs.clone(),
            reports: watch::Sender::new(None),
            last_write: Arc::new(Mutex::new(Instant::now())),
        }
    }

    #[tokio::test]
    async fn lines_in_the_pipe_are_read_although_time_is_over() {
        let (logs, closing) = (Logs::new(), CancellationToken::new());
        let begin = logs.begin_child();
        let (mut child, stream) = tokio::io::duplex(1024);
        child.write_all(b"out of memory\n").await.unwrap();
        closing.cancel();
        // `child` stays open, as in a process that has left the group.
        read(stream, sink(&logs), MAX_LINE_BYTES, closing).await;
        assert_eq!(logs.tail(begin, 1), ["out of memory"]);
    }

    #[tokio::test]
    async fn a_process_that_never_stops_writing_is_left_when_time_is_over() {
        let closing = CancellationToken::new();
        closing.cancel();
        let endless = tokio::io::repeat(b'x');
        read(endless, sink(&Logs::new()), MAX_LINE_BYTES, closing).await;
    }
}
