use super::buffer::Buffer;
use super::worker::Worker;
use std::collections::VecDeque;

/// Bytes of bodies and answers that a worker holds at most.
const MOST: usize = 256 * 1024 * 1024;

/// Pieces of a body, or of an answer, that are kept in memory to be passed on later, in their order.
#[derive(Debug, Default)]
pub(super) struct Held {
    pieces: VecDeque<Buffer>,
    bytes: usize,
}

impl Held {
    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Returns how many bytes there are.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Keeps another piece. False if the worker holds as much as it may.
    pub(super) fn push(&mut self, worker: &Worker, piece: Buffer) -> bool {
        let held = worker.held.get() + piece.bytes().len();
        if held > MOST.max(worker.site.body_limit_bytes()) {
            worker.pool.give(piece);
            return false;
        }
        self.keep(worker, piece);
        true
    }

    /// Keeps another piece, whatever the worker holds.
    pub(super) fn keep(&mut self, worker: &Worker, piece: Buffer) {
        let more = piece.bytes().len();
        worker.held.set(worker.held.get() + more);
        self.bytes += more;
        // Many small pieces take no more room than one large one.
        if let Some(last) = self.pieces.back_mut()
            && last.room() >= more
        {
            last.extend(piece.bytes());
            worker.pool.give(piece);
        } else {
            self.pieces.push_back(piece);
        }
    }

    /// All pieces, the first first.
    pub(super) fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces.iter().map(Buffer::bytes)
    }

    /// The next piece to pass on.
    pub(super) fn pop(&mut self, worker: &Worker) -> Option<Buffer> {
        let piece = self.pieces.pop_front()?;
        worker.held.set(worker.held.get() - piece.bytes().len());
        self.bytes -= piece.bytes().len();
        Some(piece)
    }

    /// Gives all of it back.
    pub(super) fn clear(&mut self, worker: &Worker) {
        while let Some(piece) = self.pop(worker) {
            worker.pool.give(piece);
        }
    }
}
