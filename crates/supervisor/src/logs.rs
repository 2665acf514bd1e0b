//! The last lines of a child's output, kept for people and for the classification of failures.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

/// Lines kept.
const CAPACITY: usize = 1_000;

/// Bytes kept of a line.
pub(crate) const LINE_MAX: usize = 4 * 1024;

/// The last 1,000 lines an instance's children have written, each of at most 4 KiB.
///
/// Lines are numbered from 0 over the life of the instance, so a reader can go on where it stopped.
#[derive(Clone, Debug)]
pub struct Logs {
    ring: Arc<Mutex<Ring>>,
    written: watch::Sender<u64>,
}

/// Lines read from [`Logs`], oldest first, and where to go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogPage {
    /// The number of the first line; greater than asked for where older lines are gone already.
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

#[derive(Debug, Default)]
struct Ring {
    lines: VecDeque<String>,
    /// Number of the first line in `lines`.
    first: u64,
}

impl Logs {
    pub(crate) fn new() -> Self {
        Self {
            ring: Arc::default(),
            written: watch::Sender::new(0),
        }
    }

    /// Returns the last `n` lines, oldest first.
    pub fn snapshot(&self, n: usize) -> Vec<String> {
        self.tail(0, n)
    }

    /// Returns all lines kept whose number is `from` or greater.
    pub fn since(&self, from: u64) -> LogPage {
        let ring = self.lock();
        let first = from.clamp(ring.first, ring.end());
        let skip = usize::try_from(first - ring.first).unwrap_or(usize::MAX);
        LogPage {
            first,
            lines: ring.lines.iter().skip(skip).cloned().collect(),
        }
    }

    /// Returns a receiver of the number of the line to be written next. It changes with each line, and
    /// closes when the instance's actor and the last handle are gone.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.written.subscribe()
    }

    /// Adds a line.
    pub(crate) fn push(&self, line: String) {
        let end = {
            let mut ring = self.lock();
            if ring.lines.len() == CAPACITY {
                ring.lines.pop_front();
                ring.first += 1;
            }
            ring.lines.push_back(line);
            ring.end()
        };
        // Two readers (stdout, stderr) write: the later number stays.
        self.written.send_if_modified(|next| {
            let later = end > *next;
            *next = end.max(*next);
            later
        });
    }

    /// Returns the number of the line to be written next.
    pub(crate) fn end(&self) -> u64 {
        self.lock().end()
    }

    /// Returns the last `n` of the lines whose number is `from` or greater.
    pub(crate) fn tail(&self, from: u64, n: usize) -> Vec<String> {
        let ring = self.lock();
        let begin = ring
            .end()
            .saturating_sub(n as u64)
            .max(from)
            .saturating_sub(ring.first);
        ring.lines
            .iter()
            .skip(usize::try_from(begin).unwrap_or(usize::MAX))
            .cloned()
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn end(&self) -> u64 {
        self.first + self.lines.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(n: usize) -> Logs {
        let logs = Logs::new();
        for line in 0..n {
            logs.push(line.to_string());
        }
        logs
    }

    #[test]
    fn the_newest_lines_are_kept() {
        let logs = filled(2_500);
        assert_eq!(logs.snapshot(usize::MAX).len(), CAPACITY);
        assert_eq!(logs.snapshot(2), ["2498", "2499"]);
        assert_eq!(*logs.watch().borrow(), 2_500);
    }

    #[test]
    fn a_reader_goes_on_where_it_stopped() {
        let logs = filled(3);
        let page = logs.since(1);
        assert_eq!(
            (page.first, page.lines.as_slice()),
            (1, &["1".to_owned(), "2".to_owned()][..])
        );
        logs.push("new".to_owned());
        assert_eq!(logs.since(page.next()).lines, ["new"]);
        assert_eq!(
            logs.since(99),
            LogPage {
                first: 4,
                lines: vec![]
            }
        );
    }

    #[test]
    fn a_reader_that_was_too_slow_is_told_so() {
        assert_eq!(filled(1_005).since(0).first, 5);
    }

    #[test]
    fn a_tail_does_not_reach_into_the_generation_before() {
        let logs = filled(5);
        let mark = logs.end();
        assert!(logs.tail(mark, 20).is_empty());
        logs.push("mine".to_owned());
        assert_eq!(logs.tail(mark, 20), ["mine"]);
    }
}
