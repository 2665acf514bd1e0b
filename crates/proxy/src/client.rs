//! Holds the state of a client's connection: its socket, bytes read ahead, and facts about the current request.

use super::buffer::Buffer;
use super::request_status::RequestStatus;
use super::silence_timer::SilenceTimer;
use super::stream::Stream;
use super::worker::Worker;
use paddock_telemetry::RequestRecorder;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};

/// A client and the state of its connection.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) stream: Stream,
    /// Bytes received and not used yet: more of the current body, or the start of the next request. Never an empty
    /// buffer.
    pub(super) read_ahead: Option<Buffer>,
    /// `x-request-id` field line of the current request.
    pub(super) id_line: Vec<u8>,
    /// Field lines that let the web page behind the current request read the response; empty if there is none.
    pub(super) cors_lines: Vec<u8>,
    pub(super) timer: SilenceTimer,
    /// Status of the current request, shared with other tasks of the worker.
    pub(super) status: Rc<RequestStatus>,
    /// Recorder of the current request.
    pub(super) record: RequestRecorder,
    /// The client is this process itself, on behalf of an operator.
    pub(super) is_in_process: bool,
}

/// Fate of the connection after a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NextStep {
    /// The next request may come.
    KeepOpen,
    /// Close the sending side and discard what the client still sends, so that the client can read the response.
    Linger,
    /// Close at once: the client has left, or must see that the response broke off.
    Drop,
}

impl Client {
    pub(super) fn new(worker: &Worker, stream: Stream, is_in_process: bool) -> Self {
        let timer = SilenceTimer::new();
        let status = Rc::<RequestStatus>::default();
        status.end(timer.now());
        Self {
            stream,
            read_ahead: None,
            id_line: Vec::new(),
            cors_lines: Vec::new(),
            timer,
            record: RequestRecorder::new(Rc::clone(&worker.meter), Rc::clone(&status.engine_wait)),
            status,
            is_in_process,
        }
    }

    /// Reads into `read_ahead`. `Ok(0)` is the end of the stream. Pending also if the buffer is full.
    pub(super) fn poll_read_ahead(
        &mut self,
        worker: &Worker,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.read_ahead.as_ref().is_some_and(Buffer::is_full) {
            return Poll::Pending;
        }
        Buffer::poll_read(&mut self.read_ahead, &worker.pool, &mut self.stream, cx)
    }

    /// Moves the bytes behind the first `taken` of `piece` into `read_ahead`.
    pub(super) fn keep_read_ahead(&mut self, worker: &Worker, piece: &mut Buffer, taken: usize) {
        if let Some(rest) = piece.bytes().get(taken..).filter(|rest| !rest.is_empty()) {
            let mut ahead = worker.pool.take();
            ahead.extend(rest);
            self.read_ahead = Some(ahead);
            piece.truncate(taken);
        }
    }
}
