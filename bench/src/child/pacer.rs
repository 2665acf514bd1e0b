//! Streams of paced events, written by a thread of their own: a runtime's timers would bring the
//! events of many streams into the same millisecond.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;

use super::answers;
use crate::clock;

/// Between two events of a stream, in nanoseconds.
const PACE: u64 = 10_000_000;

/// How long a new stream may wait to be taken, in nanoseconds.
const LOOK: u64 = 1_000_000;

/// A stream, and how far its events lie behind the full pace, in nanoseconds.
struct Paced {
    stream: Box<dyn Write + Send>,
    phase: u64,
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
    pub(super) fn take(&self, stream: Box<dyn Write + Send>, phase_us: u64) {
        let phase = phase_us * 1000 % PACE;
        // The thread lives as long as the process.
        let _ = self.0.send(Paced { stream, phase });
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
                let due = clock::now() / PACE * PACE + PACE + paced.phase;
                streams.insert((due, count), paced);
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
            streams.insert((due + PACE, number), paced);
        }
    }
}
