//! Streams of paced events, written by a thread of their own: a runtime's timers would bring the
//! events of many streams into the same millisecond.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;

use super::answers;
use crate::clock;

/// How long a new stream may wait to be taken, in nanoseconds.
const LOOK: u64 = 1_000_000;

/// When the events of a stream leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    /// Between two events, in microseconds.
    pub(super) every_us: u64,
    /// How far they lie behind the full pace, in microseconds.
    pub(super) phase_us: u64,
}

impl Pace {
    /// The first moment for an event that lies after this one, in nanoseconds.
    fn after(self, now: u64) -> u64 {
        let every = self.every();
        now / every * every + every + self.phase_us * 1000 % every
    }

    /// Between two events, in nanoseconds.
    fn every(self) -> u64 {
        self.every_us.max(1) * 1000
    }
}

struct Paced {
    stream: Box<dyn Write + Send>,
    pace: Pace,
}

#[derive(Debug, Clone)]
pub(super) struct Pacer(Sender<Paced>);

impl Pacer {
    pub(super) fn start() -> Self {
        let (give, take) = channel();
        thread::spawn(move || pace(&take));
        Self(give)
    }

    /// Writes events to a stream until nobody reads it any more.
    pub(super) fn take(&self, stream: Box<dyn Write + Send>, pace: Pace) {
        // The thread lives as long as the process.
        let _ = self.0.send(Paced { stream, pace });
    }
}

/// Two streams of one phase follow each other.
fn pace(new: &Receiver<Paced>) {
    let mut streams: BTreeMap<(u64, u64), Paced> = BTreeMap::new();
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
                streams.insert((paced.pace.after(clock::now()), count), paced);
                continue;
            }
            Err(TryRecvError::Disconnected) => return,
            Err(TryRecvError::Empty) => {}
        }
        let Some(((due, number), mut paced)) = streams.pop_first() else {
            continue;
        };
        if due > clock::now() + LOOK {
            clock::sleep_until(clock::now() + LOOK);
            streams.insert((due, number), paced);
            continue;
        }
        clock::sleep_until(due);
        if paced
            .stream
            .write_all(&answers::event(clock::now()))
            .is_ok()
        {
            streams.insert((due + paced.pace.every(), number), paced);
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
        assert_eq!(pace.after(20_000), 33_000);
        assert_eq!(pace.after(29_999), 33_000);
        assert_eq!(pace.every(), 10_000);
    }
}
