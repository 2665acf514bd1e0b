//! Writes streams of paced events on a separate thread: a runtime's timers would group the events
//! of many streams into the same millisecond.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;

use super::canned_responses;
use crate::clock;

/// Limit on the delay before a new stream is accepted, in nanoseconds.
const MAX_ACCEPT_DELAY_NS: u64 = 1_000_000;

/// The timing of a stream's events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    /// Interval between two events, in microseconds.
    pub(super) every_us: u64,
    /// Offset from multiples of the interval, in microseconds.
    pub(super) phase_us: u64,
}

impl Pace {
    /// Returns the time of the first event after `now`, in nanoseconds.
    fn next_after(self, now: u64) -> u64 {
        let every = self.interval_ns();
        now / every * every + every + self.phase_us * 1000 % every
    }

    /// Returns the interval in nanoseconds.
    fn interval_ns(self) -> u64 {
        self.every_us.max(1) * 1000
    }
}

struct PacedStream {
    stream: Box<dyn Write + Send>,
    pace: Pace,
}

#[derive(Debug, Clone)]
pub(super) struct Pacer(Sender<PacedStream>);

impl Pacer {
    pub(super) fn start() -> Self {
        let (sender, receiver) = channel();
        thread::spawn(move || run(&receiver));
        Self(sender)
    }

    /// Starts writing events to a stream, until the client leaves.
    pub(super) fn add(&self, stream: Box<dyn Write + Send>, pace: Pace) {
        // The thread lives as long as the process.
        let _ = self.0.send(PacedStream { stream, pace });
    }
}

/// Writes the events of all streams in order of time; streams of equal phase in order of arrival.
fn run(new: &Receiver<PacedStream>) {
    let mut streams: BTreeMap<(u64, u64), PacedStream> = BTreeMap::new();
    let mut count = 0;
    loop {
        let taken = if streams.is_empty() {
            new.recv().map_err(|_| TryRecvError::Disconnected)
        } else {
            new.try_recv()
        };
        match taken {
            Ok(paced) => {
                count += 1;
                streams.insert((paced.pace.next_after(clock::now()), count), paced);
                continue;
            }
            Err(TryRecvError::Disconnected) => return,
            Err(TryRecvError::Empty) => {}
        }
        let Some(((due, number), mut paced)) = streams.pop_first() else {
            continue;
        };
        if due > clock::now() + MAX_ACCEPT_DELAY_NS {
            clock::sleep_until(clock::now() + MAX_ACCEPT_DELAY_NS);
            streams.insert((due, number), paced);
            continue;
        }
        clock::sleep_until(due);
        if paced
            .stream
            .write_all(&canned_responses::event(clock::now()))
            .is_ok()
        {
            streams.insert((due + paced.pace.interval_ns(), number), paced);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_keep_to_the_pace_of_the_clock() {
        let pace = Pace {
            every_us: 10,
            phase_us: 3,
        };
        assert_eq!(pace.next_after(20_000), 33_000);
        assert_eq!(pace.next_after(29_999), 33_000);
        assert_eq!(pace.interval_ns(), 10_000);
    }
}
