//! Holds the bytes of a response that the client has not taken yet.

use super::body_reader::MAX_READ_AHEAD_BYTES;
use super::buffer::Buffer;
use super::buffered_body::BufferedBody;
use super::client::Client;
use super::min_rate::{MinRate, TransferPace};
use super::worker::Worker;
use std::io;
use std::task::{Context, Poll};
use tokio::time::Instant;

/// Limit of bytes read ahead of a slow client.
const MAX_BACKLOG_BYTES: usize = 1024 * 1024;

/// Pieces of a response for the client: usually one. More are read ahead only if the client reads slowly while
/// other requests wait for the model's slot that its request occupies.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// None before the first byte and between two pieces, when `backlog` is empty too.
    piece: Option<Buffer>,
    /// Pieces after `piece`.
    backlog: BufferedBody,
    pace: TransferPace,
}

impl Outbox {
    pub(super) fn is_empty(&self) -> bool {
        self.piece.is_none()
    }

    /// Returns true if another piece may be read from the child while the client takes none.
    pub(super) fn has_room(&self, worker: &Worker) -> bool {
        self.backlog.bytes() < MAX_BACKLOG_BYTES
            && worker.pool.buffered_bytes() < MAX_READ_AHEAD_BYTES
    }

    /// Returns when the client falls below `rate` if it takes nothing.
    pub(super) fn deadline(&self, rate: MinRate) -> Option<Instant> {
        self.pace.deadline(rate)
    }

    /// Appends a piece.
    pub(super) fn push(&mut self, worker: &Worker, piece: Buffer) {
        if self.piece.is_none() {
            self.piece = Some(piece);
        } else {
            self.backlog.push(&worker.pool, piece);
        }
    }

    /// Appends bytes.
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

    /// Writes all pieces.
    pub(super) fn poll_write(
        &mut self,
        client: &mut Client,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while let Some(piece) = &mut self.piece {
            let left = piece.bytes().len();
            let written = piece.poll_write_all(&mut client.stream, cx);
            let now = client.timer.now();
            self.pace.add_bytes(left - piece.bytes().len(), now);
            match written {
                Poll::Ready(Ok(())) => client.timer.record_progress(),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.pace.start_waiting(now);
                    return Poll::Pending;
                }
            }
            self.piece = self.backlog.pop();
        }
        Poll::Ready(Ok(()))
    }
}
