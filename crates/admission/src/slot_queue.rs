//! Estimates which requests wait inside a child because all its slots are busy.
//!
//! A child (a `llama-server` process) takes more requests than it has slots (requests that it processes at the same
//! time), so that no slot waits for its next request. Requests without a slot wait in the child's own queue, first
//! come, first served (llama.cpp b11434, tools/server/server-queue.cpp, `server_queue::defer`), and the child does not
//! report them per request. paddock counts instead: with `s` slots, the request that went to the child as number `n`
//! has a slot once `n + 1 - s` requests have ended.
//!
//! The result is an estimate: a client that leaves the child's queue makes the requests ahead of it look served a
//! little early, and a request for several answers takes several slots.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// The number of starts and ends whose times are kept. In a longer queue, the times are less exact.
const RING_SIZE: usize = 64;

/// The requests that take a slot of one model's children. Counting one costs a few atomic writes.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct SlotQueue {
    /// The number of requests that have gone to the child.
    started: AtomicU64,
    /// The number of these that have ended.
    ended: AtomicU64,
    /// Origin of the times in the rings.
    epoch: Instant,
    starts: TimeRing,
    ends: TimeRing,
}

/// Times of the last events, in microseconds since the queue's epoch, indexed by the event's number.
#[derive(Debug)]
struct TimeRing([AtomicU64; RING_SIZE]);

/// A request's position in the queue. `SlotQueue::end` counts the request's end; dropping the
/// ticket does not.
#[derive(Debug, Clone)]
pub struct SlotTicket {
    queue: Arc<SlotQueue>,
    /// The number of requests that must have ended before this one has a slot.
    turn: u64,
    /// Time at which the request went to the child.
    since: Instant,
}

/// The time that one request waits inside the child, until its answer begins.
#[derive(Debug, Default)]
pub struct EngineWait {
    /// Total of the waits that are over. A request that is sent again after its child died waits more than once.
    over: Duration,
    /// The wait that is not over, if any.
    ticket: Option<SlotTicket>,
}

/// The requests that wait inside a child now, by estimate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WaitingInEngine {
    /// Requests that wait.
    pub count: u64,
    /// The time that the first of them has waited.
    pub longest: Duration,
}

impl Default for SlotQueue {
    fn default() -> Self {
        Self {
            started: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            epoch: Instant::now(),
            starts: TimeRing::default(),
            ends: TimeRing::default(),
        }
    }
}

impl Default for TimeRing {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; RING_SIZE])
    }
}

impl TimeRing {
    fn cell(&self, number: u64) -> &AtomicU64 {
        // The remainder is below `RING_SIZE`.
        let at = usize::try_from(number % RING_SIZE as u64).unwrap_or(0);
        &self.0[at]
    }

    fn set(&self, number: u64, at: Duration) {
        let micros = u64::try_from(at.as_micros()).unwrap_or(u64::MAX);
        self.cell(number).store(micros, Ordering::Relaxed);
    }

    fn get(&self, number: u64) -> Duration {
        Duration::from_micros(self.cell(number).load(Ordering::Relaxed))
    }
}

impl SlotQueue {
    /// Counts a request that goes to a child with `slots` slots.
    pub(crate) fn start(self: &Arc<Self>, slots: u32, now: Instant) -> SlotTicket {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        self.starts.set(number, now.duration_since(self.epoch));
        SlotTicket {
            queue: Arc::clone(self),
            turn: (number + 1).saturating_sub(slots.into()),
            since: now,
        }
    }

    /// Counts the end of a request that was started.
    pub(crate) fn end(&self, now: Instant) {
        let number = self.ended.fetch_add(1, Ordering::Relaxed);
        self.ends.set(number, now.duration_since(self.epoch));
    }

    /// Returns the requests that wait in a child with `slots` slots.
    pub(crate) fn waiting(&self, slots: u32, now: Instant) -> WaitingInEngine {
        let next = self.ended.load(Ordering::Relaxed) + u64::from(slots);
        let started = self.started.load(Ordering::Relaxed);
        let count = started.saturating_sub(next);
        if count == 0 {
            return WaitingInEngine::default();
        }
        // The ring has forgotten the first requests of a longer queue: its oldest time is a lower bound.
        let oldest = next.max(started.saturating_sub(RING_SIZE as u64));
        let since = self.epoch + self.starts.get(oldest);
        WaitingInEngine {
            count,
            longest: now.saturating_duration_since(since),
        }
    }
}

impl SlotTicket {
    /// Returns whether the request still waits for a slot.
    pub(crate) fn is_waiting(&self) -> bool {
        self.queue.ended.load(Ordering::Relaxed) < self.turn
    }

    /// Returns the time that the request has waited for a slot until `now`.
    pub(crate) fn wait_time(&self, now: Instant) -> Duration {
        let Some(last) = self.turn.checked_sub(1) else {
            return Duration::ZERO;
        };
        let until_now = now.saturating_duration_since(self.since);
        if self.is_waiting() {
            return until_now;
        }
        // If the ring has overwritten this end, a later one stands in for it.
        let begun = self.queue.epoch + self.queue.ends.get(last);
        begun.saturating_duration_since(self.since).min(until_now)
    }
}

impl EngineWait {
    /// Starts another wait, after the one that is over.
    pub fn begin(&mut self, ticket: SlotTicket) {
        self.settle(ticket.since);
        self.ticket = Some(ticket);
    }

    /// Ends the wait: an answer begins only after its request has got a slot.
    pub fn settle(&mut self, now: Instant) {
        self.over = self.wait_time(now);
        self.ticket = None;
    }

    /// Returns the time that the request has waited until `now`.
    pub fn wait_time(&self, now: Instant) -> Duration {
        let ticket = self.ticket.as_ref();
        self.over + ticket.map_or(Duration::ZERO, |ticket| ticket.wait_time(now))
    }

    /// Returns whether the request still waits.
    pub fn is_waiting(&self) -> bool {
        self.ticket.as_ref().is_some_and(SlotTicket::is_waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    fn queue() -> (Arc<SlotQueue>, Instant) {
        let queue = Arc::new(SlotQueue::default());
        let begin = queue.epoch;
        (queue, begin)
    }

    #[test]
    fn requests_beyond_the_slots_wait_for_those_before_them() {
        let (queue, begin) = queue();
        let at = |count| begin + ms(count);
        let tickets = [0, 1, 2, 3].map(|n| queue.start(2, at(10 * n)));
        assert_eq!(
            tickets.each_ref().map(SlotTicket::is_waiting),
            [false, false, true, true]
        );
        let waiting = queue.waiting(2, at(100));
        assert_eq!(
            waiting,
            WaitingInEngine {
                count: 2,
                longest: ms(80)
            }
        );
        assert_eq!(tickets[3].wait_time(at(100)), ms(70), "it waits still");

        queue.end(at(120));
        assert_eq!(
            tickets.each_ref().map(SlotTicket::is_waiting),
            [false, false, false, true]
        );
        let waiting = queue.waiting(2, at(130));
        assert_eq!(
            waiting,
            WaitingInEngine {
                count: 1,
                longest: ms(100)
            }
        );
        queue.end(at(140));
        assert_eq!(queue.waiting(2, at(150)), WaitingInEngine::default());
        let wait_times = tickets.each_ref().map(|ticket| ticket.wait_time(at(1000)));
        assert_eq!(wait_times, [ms(0), ms(0), ms(100), ms(110)]);
        queue.end(at(1000));
        queue.end(at(1000));
        assert!(
            !queue.start(2, at(1001)).is_waiting(),
            "the slots are free again"
        );
    }

    #[test]
    fn an_answer_that_begins_ends_the_wait() {
        let (queue, begin) = queue();
        let at = |count| begin + ms(count);
        let _first = queue.start(1, at(0));
        let mut wait = EngineWait::default();
        wait.begin(queue.start(1, at(0)));
        assert!(wait.is_waiting());
        // Two slots, and paddock was told of one.
        wait.settle(at(30));
        assert!(!wait.is_waiting());
        assert_eq!(wait.wait_time(at(100)), ms(30));
        // The child died, and the request went to the next one.
        wait.begin(queue.start(1, at(100)));
        assert_eq!(wait.wait_time(at(120)), ms(50));
    }

    #[test]
    fn a_queue_longer_than_what_is_remembered_is_still_counted() {
        let (queue, begin) = queue();
        let at = |count| begin + ms(count);
        let many = RING_SIZE as u64 * 3;
        let tickets: Vec<SlotTicket> = (0..many).map(|n| queue.start(1, at(n))).collect();
        let waiting = queue.waiting(1, at(many));
        assert_eq!(waiting.count, many - 1);
        assert_eq!(waiting.longest, ms(RING_SIZE as u64), "a lower bound");
        for n in 0..many {
            queue.end(at(many + n));
        }
        assert_eq!(queue.waiting(1, at(many * 2)), WaitingInEngine::default());
        let end = at(many * 2);
        assert_eq!(tickets[0].wait_time(end), ms(0));
        // The last one has its own time, an early one at most its whole life.
        assert_eq!(tickets.last().unwrap().wait_time(end), ms(many - 1));
        assert!(tickets[1].wait_time(end) <= ms(many * 2 - 1));
    }
}
