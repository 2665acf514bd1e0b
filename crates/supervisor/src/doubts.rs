//! What those who send requests to a child see of its silence.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use tokio::{sync::watch, time::Instant};

/// Connects those who send requests to a child with the instance that watches it.
///
/// While no request waits nothing is told, and nobody wakes up. Clones belong to the same child.
#[derive(Clone, Debug, Default)]
pub struct Doubts(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    seen: watch::Sender<Seen>,
    /// A byte has come since [`Doubts::look`].
    heard: AtomicBool,
    ended: Mutex<Option<Arc<str>>>,
}

/// What has been seen of a child so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Requests that wait for a byte now, and have waited long.
    pub(crate) waiting: u32,
    /// Counts the looks at which a byte had come.
    pub(crate) heard: u64,
    pub(crate) overdue: Overdue,
}

/// Requests that were given up after the longest time they may wait, since the child's last byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Overdue {
    #[default]
    Never,
    /// At this moment. What the request asked for may have been too much.
    Once(Instant),
    /// One more, which was begun when the first had been given up already.
    Again,
}

/// One request that has waited long. Dropped when its byte comes or it ends.
#[derive(Debug)]
pub struct Doubt(Doubts);

impl Doubts {
    /// A request has waited long for a byte.
    pub fn raise(&self) -> Doubt {
        self.0.seen.send_modify(|seen| seen.waiting += 1);
        Doubt(self.clone())
    }

    /// A byte has come from the child. Costs a load while nobody looks.
    pub fn heard(&self) {
        if !self.0.heard.load(Ordering::Relaxed) {
            self.0.heard.store(true, Ordering::Relaxed);
        }
    }

    /// A request that was begun at `begun` is given up: the child has let its time limit pass.
    pub fn overdue(&self, begun: Instant) {
        self.look();
        let now = Instant::now();
        self.0
            .seen
            .send_modify(|seen| seen.overdue = seen.overdue.and(begun, now));
    }

    /// Returns why the last child was ended, where that was for its silence.
    pub fn ended(&self) -> Option<Arc<str>> {
        self.lock().clone()
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Seen> {
        self.0.seen.subscribe()
    }

    /// Returns what has been seen, the bytes of this moment included.
    pub(crate) fn look(&self) -> Seen {
        if self.0.heard.swap(false, Ordering::Relaxed) {
            self.0.seen.send_if_modified(|seen| {
                seen.heard += 1;
                seen.overdue = Overdue::Never;
                false
            });
        }
        *self.0.seen.borrow()
    }

    /// Begins with a new child.
    pub(crate) fn renew(&self) {
        *self.lock() = None;
        self.0.seen.send_if_modified(|seen| {
            seen.overdue = Overdue::Never;
            false
        });
    }

    /// Says why the child is about to be ended, before its connections close.
    pub(crate) fn end(&self, why: &str) {
        *self.lock() = Some(why.into());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Arc<str>>> {
        self.0.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Doubt {
    fn drop(&mut self) {
        let seen = &self.0.0.seen;
        seen.send_modify(|seen| seen.waiting = seen.waiting.saturating_sub(1));
    }
}

impl Overdue {
    /// Adds one more request. Those that waited together count once: one cause may hold them all up.
    fn and(self, begun: Instant, now: Instant) -> Self {
        match self {
            Self::Never => Self::Once(now),
            Self::Once(first) if begun < first => self,
            Self::Once(_) | Self::Again => Self::Again,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_request_waits_until_its_doubt_is_dropped() {
        let doubts = Doubts::default();
        let (one, two) = (doubts.raise(), doubts.raise());
        assert_eq!(doubts.look().waiting, 2);
        drop(one);
        assert_eq!(doubts.look().waiting, 1);
        drop(two);
        assert_eq!(doubts.look(), Seen::default());
    }

    #[test]
    fn requests_that_waited_together_count_once() {
        let now = Instant::now();
        let later = now + Duration::from_secs(1);
        let once = Overdue::Never.and(now, later);
        assert_eq!(once.and(now, later), Overdue::Once(later));
        assert_eq!(once.and(later, later), Overdue::Again);
    }

    #[tokio::test(start_paused = true)]
    async fn a_byte_between_takes_the_suspicion_away() {
        let doubts = Doubts::default();
        doubts.overdue(Instant::now());
        tokio::time::advance(Duration::from_secs(1)).await;
        doubts.heard();
        doubts.overdue(Instant::now());
        assert!(matches!(doubts.look().overdue, Overdue::Once(_)));
        tokio::time::advance(Duration::from_secs(1)).await;
        doubts.overdue(Instant::now());
        assert_eq!(doubts.look().overdue, Overdue::Again);
        doubts.renew();
        assert_eq!(doubts.look().overdue, Overdue::Never);
    }

    #[test]
    fn why_a_child_was_ended_is_known_until_the_next_one() {
        let doubts = Doubts::default();
        doubts.end("it slept");
        assert_eq!(doubts.ended().as_deref(), Some("it slept"));
        doubts.renew();
        assert_eq!(doubts.ended(), None);
    }
}
