//! Keeps the last lines of output of a model's children, for people and for the classification of failures.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{sync::watch, time::Instant};

use crate::{
    line_ring::{LineRing, MAX_LINES},
    log_throttle::{LogThrottle, ThrottleDecision},
};

/// The maximum number of bytes kept of a line.
pub(crate) const MAX_LINE_BYTES: usize = 4 * 1024;

/// The last lines that a model's children have written, one child after the other: at most 1,000 lines and 1
/// MiB, each line at most 4 KiB.
///
/// Lines are numbered from 0 over the life of all clones, so a reader can continue where it stopped. The same
/// logs given to one [`Instance`](crate::Instance) after another record them all.
#[derive(Clone, Debug)]
pub struct Logs {
    record: Arc<Mutex<LogRecord>>,
    /// The number of the line to be written next.
    written: watch::Sender<u64>,
}

/// A reader of [`Logs`] that does not keep them open.
#[derive(Clone, Debug)]
pub struct LogReader {
    record: Arc<Mutex<LogRecord>>,
    written: watch::Receiver<u64>,
}

/// Lines read from [`Logs`], oldest first, with the position after them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogPage {
    /// The number of the first line; greater than requested if older lines are gone already.
    pub first: u64,
    /// The lines.
    pub lines: Vec<String>,
}

impl LogPage {
    /// Returns the number of the line that follows the last one here.
    pub fn next(&self) -> u64 {
        self.first + self.lines.len() as u64
    }
}

/// The lines, and the limit on those repeated in paddock's own log.
#[derive(Debug)]
struct LogRecord {
    ring: LineRing,
    throttle: LogThrottle,
    /// The number of the first line of the last child.
    child: u64,
}

/// Output of a child to forward to paddock's log.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ForwardedOutput {
    /// A line.
    Line(String),
    /// The number of lines that were suppressed.
    Suppressed(u64),
}

/// A batch of lines that are written under one lock.
pub(crate) struct LogBatch<'a> {
    record: MutexGuard<'a, LogRecord>,
    written: &'a watch::Sender<u64>,
    now: Instant,
    forwarded: Vec<ForwardedOutput>,
}

impl Default for Logs {
    fn default() -> Self {
        Self::new()
    }
}

impl Logs {
    /// The maximum number of lines that are kept.
    pub const MAX_LINES: usize = MAX_LINES;

    /// Makes empty logs.
    pub fn new() -> Self {
        let record = LogRecord {
            ring: LineRing::default(),
            throttle: LogThrottle::new(Instant::now()),
            child: 0,
        };
        Self {
            record: Arc::new(Mutex::new(record)),
            written: watch::Sender::new(0),
        }
    }

    /// Returns a reader, whose [`LogReader::wait_for_line`] ends when all clones of these logs are gone.
    pub fn reader(&self) -> LogReader {
        LogReader {
            record: Arc::clone(&self.record),
            written: self.written.subscribe(),
        }
    }

    /// Returns the last `n` lines, oldest first.
    pub fn snapshot(&self, n: usize) -> Vec<String> {
        self.tail(0, n)
    }

    /// Returns the lines of the last child alone, as far as they are kept.
    pub fn last_child_lines(&self) -> Vec<String> {
        let record = lock(&self.record);
        record.ring.read(record.child, usize::MAX)
    }

    /// Returns a receiver of the number of the line to be written next.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.written.subscribe()
    }

    /// Starts the record of another child, and returns the number of its first line.
    pub(crate) fn begin_child(&self) -> u64 {
        let mut record = lock(&self.record);
        record.child = record.ring.end();
        record.child
    }

    /// Starts a batch of lines. Other readers and writers wait until the batch is finished.
    pub(crate) fn batch(&self, now: Instant) -> LogBatch<'_> {
        LogBatch {
            record: lock(&self.record),
            written: &self.written,
            now,
            forwarded: Vec::new(),
        }
    }

    /// Returns the moment at which suppressed lines must be reported even if no line follows.
    pub(crate) fn gap_end(&self) -> Option<Instant> {
        lock(&self.record).throttle.gap_end()
    }

    /// Returns the number of suppressed lines if it is time to report them, and 0 otherwise.
    pub(crate) fn end_gap(&self, now: Instant) -> u64 {
        lock(&self.record).throttle.end_gap(now)
    }

    /// Returns the number of suppressed lines of an exited child.
    pub(crate) fn take_suppressed(&self) -> u64 {
        lock(&self.record).throttle.take_suppressed()
    }

    /// Returns the last `n` of the lines from number `from` on.
    pub(crate) fn tail(&self, from: u64, n: usize) -> Vec<String> {
        let ring = &lock(&self.record).ring;
        let begin = ring.end().saturating_sub(n as u64).max(from);
        ring.read(begin, usize::MAX)
    }
}

impl LogReader {
    /// Returns the kept lines from number `from` on: at least one, if there is one, and later ones while all
    /// together have at most `max_bytes` bytes.
    pub fn page(&self, from: u64, max_bytes: usize) -> LogPage {
        let ring = &lock(&self.record).ring;
        LogPage {
            first: from.clamp(ring.first(), ring.end()),
            lines: ring.read(from, max_bytes),
        }
    }

    /// Returns the number of the first of the last `n` lines, or of the first kept line.
    pub fn first_of_last(&self, n: u64) -> u64 {
        let ring = &lock(&self.record).ring;
        ring.end().saturating_sub(n).max(ring.first())
    }

    /// Waits until line `from` is written. Returns false if it never will be.
    pub async fn wait_for_line(&mut self, from: u64) -> bool {
        self.written.wait_for(|next| *next > from).await.is_ok()
    }
}

impl LogBatch<'_> {
    /// Adds a line.
    pub(crate) fn push(&mut self, line: &str) {
        self.record.ring.push(line);
        if let ThrottleDecision::Forward { suppressed } = self.record.throttle.decide(self.now) {
            if suppressed > 0 {
                self.forwarded.push(ForwardedOutput::Suppressed(suppressed));
            }
            self.forwarded.push(ForwardedOutput::Line(line.to_owned()));
        }
    }

    /// Releases the lock, wakes waiting readers, and returns the output to forward.
    pub(crate) fn finish(mut self) -> Vec<ForwardedOutput> {
        let forwarded = mem::take(&mut self.forwarded);
        let (end, written) = (self.record.ring.end(), self.written);
        drop(self);
        // Two tasks (stdout, stderr) write, and the later number must win.
        written.send_if_modified(|next| {
            let later = end > *next;
            *next = end.max(*next);
            later
        });
        forwarded
    }
}

fn lock(record: &Mutex<LogRecord>) -> MutexGuard<'_, LogRecord> {
    record.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(logs: &Logs, lines: &[&str]) -> Vec<ForwardedOutput> {
        let mut batch = logs.batch(Instant::now());
        for line in lines {
            batch.push(line);
        }
        batch.finish()
    }

    fn filled(n: usize) -> Logs {
        let logs = Logs::new();
        for line in 0..n {
            write(&logs, &[&line.to_string()]);
        }
        logs
    }

    #[test]
    fn the_newest_lines_are_kept() {
        let logs = filled(2_500);
        assert_eq!(logs.snapshot(usize::MAX).len(), Logs::MAX_LINES);
        assert_eq!(logs.snapshot(2), ["2498", "2499"]);
        assert_eq!(*logs.watch().borrow(), 2_500);
    }

    #[test]
    fn a_reader_goes_on_where_it_stopped() {
        let logs = filled(3);
        let reader = logs.reader();
        let page = reader.page(reader.first_of_last(2), usize::MAX);
        assert_eq!((page.first, page.lines.concat()), (1, "12".to_owned()));
        write(&logs, &["new"]);
        assert_eq!(reader.page(page.next(), usize::MAX).lines, ["new"]);
        let beyond = reader.page(99, usize::MAX);
        assert_eq!((beyond.first, beyond.lines.len()), (4, 0));
    }

    #[test]
    fn a_reader_that_was_too_slow_is_told_so() {
        assert_eq!(filled(1_005).reader().page(0, 10).first, 5);
    }

    #[test]
    fn a_tail_does_not_reach_into_the_child_before() {
        let logs = filled(5);
        let mark = logs.begin_child();
        assert!(logs.tail(mark, 20).is_empty() && logs.last_child_lines().is_empty());
        write(&logs, &["mine"]);
        assert_eq!(logs.tail(mark, 20), ["mine"]);
        assert_eq!(logs.last_child_lines(), ["mine"]);
        assert_eq!(logs.snapshot(2), ["4", "mine"]);
    }

    #[test]
    fn every_line_is_kept_of_those_that_are_not_all_said() {
        let logs = Logs::new();
        let forwarded = write(&logs, &["x"; 500]);
        assert_eq!(
            (forwarded.len(), logs.snapshot(usize::MAX).len()),
            (200, 500)
        );
        assert_eq!((logs.take_suppressed(), logs.take_suppressed()), (300, 0));
    }

    #[tokio::test]
    async fn a_reader_hears_of_lines_and_of_the_end() {
        let logs = filled(1);
        let mut reader = logs.reader();
        assert!(reader.wait_for_line(0).await);
        let writer = logs.clone();
        drop(logs);
        let (more, _said) =
            tokio::join!(reader.wait_for_line(1), async { write(&writer, &["last"]) });
        assert!(more);
        drop(writer);
        assert!(!reader.wait_for_line(2).await);
        assert_eq!(reader.page(1, 9).lines, ["last"]);
    }
}
