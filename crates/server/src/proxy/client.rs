use super::buffer::Buffer;
use super::stream::Stream;
use super::watchdog::Watchdog;
use super::worker::Worker;
use std::io;
use std::task::{Context, Poll};

/// A client's side of its connection.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) stream: Stream,
    /// What has come and is not yet used: the start of the next request. Never empty.
    pub(super) ahead: Option<Buffer>,
    /// The `x-request-id` field line of the request at hand.
    pub(super) id_line: Vec<u8>,
    pub(super) watchdog: Watchdog,
}

/// What becomes of the connection after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// The next request may come.
    Next,
    /// It is to be closed, and the client may still be sending.
    Linger,
    /// It is to be closed as it is: the client has left, or must see that the answer broke off.
    Drop,
}

impl Client {
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            stream,
            ahead: None,
            id_line: Vec::new(),
            watchdog: Watchdog::new(),
        }
    }

    /// Reads what has come into `ahead`. `Ok(0)` is the end; pending also when there is no room
    /// for more.
    pub(super) fn poll_read_ahead(
        &mut self,
        worker: &Worker,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut ahead = self.ahead.take().unwrap_or_else(|| worker.pool.take());
        let read = if ahead.is_full() {
            Poll::Pending
        } else {
            ahead.poll_read(&mut self.stream, cx)
        };
        if ahead.is_empty() {
            worker.pool.give(ahead);
        } else {
            self.ahead = Some(ahead);
        }
        read
    }

    /// Ready when the client has closed its side. What it sends meanwhile is kept for later, up
    /// to a buffer's size; beyond that the system holds it back, and its end with it.
    pub(super) fn poll_left(&mut self, worker: &Worker, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match self.poll_read_ahead(worker, cx) {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(_)) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    pub(super) fn give_back_ahead(&mut self, worker: &Worker) {
        if let Some(ahead) = self.ahead.take() {
            worker.pool.give(ahead);
        }
    }
}
