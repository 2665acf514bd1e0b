//! Bytes of a request or response kept in memory until the other side takes them, within the worker's limit.

use super::buffer::{Buffer, BufferPool};
use super::worker::Worker;
use std::collections::VecDeque;

/// Limit of buffered bytes of bodies and responses per worker thread; a larger limit of a single body replaces it.
const MAX_BUFFERED_BYTES: usize = 256 * 1024 * 1024;

/// Pieces of a body or response, in order, to be passed on later.
#[derive(Debug, Default)]
pub(super) struct BufferedBody {
    pieces: VecDeque<Buffer>,
    bytes: usize,
    /// The worker's buffer pool, which counts all buffered bytes of the worker; None before the first piece.
    pool: Option<BufferPool>,
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
        let buffered = worker.pool.buffered_bytes() + piece.bytes().len();
        if buffered > MAX_BUFFERED_BYTES.max(worker.context.body_limit_bytes()) {
            return false;
        }
        self.push(&worker.pool, piece);
        true
    }

    /// Appends a piece regardless of the worker's limit.
    pub(super) fn push(&mut self, pool: &BufferPool, piece: Buffer) {
        let more = piece.bytes().len();
        pool.add_buffered(more);
        self.pool.get_or_insert_with(|| pool.clone());
        self.bytes += more;
        // Joined with the last piece if it fits, so that many small pieces occupy no more than one large one.
        if let Some(last) = self.pieces.back_mut()
            && last.room() >= more
        {
            last.extend(piece.bytes());
        } else {
            self.pieces.push_back(piece);
        }
    }

    /// Returns all pieces, first to last.
    pub(super) fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces.iter().map(Buffer::bytes)
    }

    /// Takes the first piece.
    pub(super) fn pop(&mut self) -> Option<Buffer> {
        let piece = self.pieces.pop_front()?;
        self.bytes -= piece.bytes().len();
        if let Some(pool) = &self.pool {
            pool.remove_buffered(piece.bytes().len());
        }
        Some(piece)
    }
}

impl Drop for BufferedBody {
    fn drop(&mut self) {
        if let Some(pool) = &self.pool {
            pool.remove_buffered(self.bytes);
        }
    }
}
