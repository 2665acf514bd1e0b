//! Bytes of a request or response kept in memory until the other side takes them, within the worker's limit.

use super::buffer::Buffer;
use super::worker::Worker;
use std::collections::VecDeque;

/// Limit of buffered bytes of bodies and responses per worker.
const MAX_BUFFERED_BYTES: usize = 256 * 1024 * 1024;

/// Pieces of a body or response, in order, to be passed on later.
#[derive(Debug, Default)]
pub(super) struct BufferedBody {
    pieces: VecDeque<Buffer>,
    bytes: usize,
}

impl BufferedBody {
    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Returns the number of buffered bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends a piece. Returns false if the worker's limit is reached.
    pub(super) fn try_push(&mut self, worker: &Worker, piece: Buffer) -> bool {
        let buffered = worker.buffered_bytes.get() + piece.bytes().len();
        if buffered > MAX_BUFFERED_BYTES.max(worker.context.body_limit_bytes()) {
            worker.pool.give(piece);
            return false;
        }
        self.push(worker, piece);
        true
    }

    /// Appends a piece regardless of the worker's limit.
    pub(super) fn push(&mut self, worker: &Worker, piece: Buffer) {
        let more = piece.bytes().len();
        worker
            .buffered_bytes
            .set(worker.buffered_bytes.get() + more);
        self.bytes += more;
        // Joined with the last piece if it fits, so that many small pieces occupy no more than one large one.
        if let Some(last) = self.pieces.back_mut()
            && last.room() >= more
        {
            last.extend(piece.bytes());
            worker.pool.give(piece);
        } else {
            self.pieces.push_back(piece);
        }
    }

    /// Returns all pieces, first to last.
    pub(super) fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces.iter().map(Buffer::bytes)
    }

    /// Takes the first piece.
    pub(super) fn pop(&mut self, worker: &Worker) -> Option<Buffer> {
        let piece = self.pieces.pop_front()?;
        worker
            .buffered_bytes
            .set(worker.buffered_bytes.get() - piece.bytes().len());
        self.bytes -= piece.bytes().len();
        Some(piece)
    }

    /// Returns all pieces to the pool.
    pub(super) fn clear(&mut self, worker: &Worker) {
        while let Some(piece) = self.pop(worker) {
            worker.pool.give(piece);
        }
    }
}
