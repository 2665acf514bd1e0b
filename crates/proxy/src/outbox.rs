//! An answer's bytes on their way to the client.

use super::buffer::Buffer;
use super::buffering::MAX_BUFFERED;
use super::client::Client;
use super::held::Held;
use super::pace::{MinRate, Pace};
use super::worker::Worker;
use std::io;
use std::task::{Context, Poll};
use tokio::time::Instant;

/// Bytes of an answer that are read ahead of a slow client at most.
const MAX_BACKLOG: usize = 1024 * 1024;

/// Pieces of an answer that the client has not taken yet: one, and more of them only where the child is to
/// finish before a slow client has read.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// Empty before the first byte and between two pieces, where `backlog` is empty too.
    piece: Option<Buffer>,
    backlog: Held,
    pace: Pace,
}

impl Outbox {
    pub(super) fn is_empty(&self) -> bool {
        self.piece.is_none()
    }

    /// Returns true if another piece may be read from the child while the client takes none.
    pub(super) fn has_room(&self, worker: &Worker) -> bool {
        self.backlog.bytes() < MAX_BACKLOG && worker.held.get() < MAX_BUFFERED
    }

    /// Returns when the client is slower than `rate` if it takes nothing until then.
    pub(super) fn deadline(&self, rate: MinRate) -> Option<Instant> {
        self.pace.deadline(rate)
    }

    /// Adds a piece behind the others.
    pub(super) fn push(&mut self, worker: &Worker, piece: Buffer) {
        if self.piece.is_none() {
            self.piece = Some(piece);
        } else {
            self.backlog.keep(worker, piece);
        }
    }

    /// Adds bytes behind the others.
    pub(super) fn extend(&mut self, worker: &Worker, bytes: &[u8]) {
        match &mut self.piece {
            Some(piece) if self.backlog.is_empty() => piece.extend(bytes),
            _ => {
                let mut piece = worker.pool.take();
                piece.extend(bytes);
                self.push(worker, piece);
            }
        }
    }

    /// Writes all of it.
    pub(super) fn poll_write(
        &mut self,
        worker: &Worker,
        client: &mut Client,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while let Some(piece) = &mut self.piece {
            let left = piece.bytes().len();
            let written = piece.poll_write_all(&mut client.stream, cx);
            let now = client.watchdog.now();
            self.pace.moved(left - piece.bytes().len(), now);
            match written {
                Poll::Ready(Ok(())) => client.watchdog.progress(),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.pace.wait(now);
                    return Poll::Pending;
                }
            }
            let next = self.backlog.pop(worker);
            if let Some(written) = std::mem::replace(&mut self.piece, next) {
                worker.pool.give(written);
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Gives back what is left.
    pub(super) fn clear(&mut self, worker: &Worker) {
        if let Some(piece) = self.piece.take() {
            worker.pool.give(piece);
        }
        self.backlog.clear(worker);
    }
}
