use super::buffer::Buffer;
use super::worker::Worker;
use std::collections::VecDeque;

/// How many bytes of bodies a worker holds at most while their models are unknown.
const MOST: usize = 256 * 1024 * 1024;

/// What has come of a body while it was searched for its model, to be passed on first.
#[derive(Debug, Default)]
pub(super) struct Held {
    pieces: VecDeque<Buffer>,
}

impl Held {
    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Keeps another piece. False if the worker holds as much as it may.
    pub(super) fn push(&mut self, worker: &Worker, piece: Buffer) -> bool {
        let more = piece.bytes().len();
        let held = worker.held.get() + more;
        if held > MOST.max(worker.site.body_limit_bytes()) {
            worker.pool.give(piece);
            return false;
        }
        worker.held.set(held);
        // Many small pieces take no more room than one large one.
        if let Some(last) = self.pieces.back_mut()
            && last.room() >= more
        {
            last.extend(piece.bytes());
            worker.pool.give(piece);
        } else {
            self.pieces.push_back(piece);
        }
        true
    }

    /// The next piece to pass on.
    pub(super) fn pop(&mut self, worker: &Worker) -> Option<Buffer> {
        let piece = self.pieces.pop_front()?;
        worker.held.set(worker.held.get() - piece.bytes().len());
        Some(piece)
    }

    /// Gives all of it back.
    pub(super) fn clear(&mut self, worker: &Worker) {
        while let Some(piece) = self.pop(worker) {
            worker.pool.give(piece);
        }
    }
}
