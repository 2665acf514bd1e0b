//! Starts the response to a streaming client whose request still waits for its model: sends a head and comments
//! before the child (the model's llama-server) responds.

use super::client::{Client, NextStep};
use super::cors;
use super::local_reply::{error_event, finish, status_line};
use super::request::Request;
use super::response::{LAST_CHUNK, chunk};
use super::worker::Worker;
use paddock_admission::error::{Dialect, ProxyError};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::AsyncWrite;

/// Comment line of a stream: clients ignore lines that begin with a colon (HTML §9.2.6).
const WAITING_COMMENT: &str = ": waiting for the model\n\n";

/// Fields of the head that the client gets in place of the child's.
const HEAD_FIELDS: &str = "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n";

/// Longest time for a client to take the bytes that are left to send when its request's wait is over.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(10);

/// A response that has begun before the child's; holds the bytes that the client has not taken.
#[derive(Debug)]
pub(super) struct EarlyStream {
    unsent: Vec<u8>,
}

impl EarlyStream {
    /// Begins the response with status 200 and a comment.
    pub(super) fn begin(worker: &Worker, client: &Client, request: &Request) -> Self {
        let mut head = status_line(200) + HEAD_FIELDS;
        if request.head.close {
            head.push_str("Connection: close\r\n");
        }
        let cors = cors::response_lines(worker, client, false);
        let comment = chunk(WAITING_COMMENT);
        Self {
            unsent: [
                head.as_bytes(),
                cors,
                &client.id_line,
                b"\r\n",
                comment.as_bytes(),
            ]
            .concat(),
        }
    }

    /// Adds a comment, unless the client has not taken the last one.
    pub(super) fn add_comment(&mut self) {
        if self.unsent.is_empty() {
            self.unsent
                .extend_from_slice(chunk(WAITING_COMMENT).as_bytes());
        }
    }

    /// Writes as much as the client takes.
    pub(super) fn poll_flush(
        &mut self,
        client: &mut Client,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.unsent.is_empty() {
            let written = ready!(Pin::new(&mut client.stream).poll_write(cx, &self.unsent))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unsent.drain(..written);
        }
        Poll::Ready(Ok(()))
    }

    /// Writes all unsent bytes. Returns true if the client took them.
    pub(super) async fn flush(&mut self, client: &mut Client) -> bool {
        client.timer.read_clock();
        client.timer.record_progress();
        poll_fn(|cx| match self.poll_flush(client, cx) {
            Poll::Ready(written) => Poll::Ready(written.is_ok()),
            Poll::Pending => {
                client.timer.read_clock();
                client.timer.poll_silent(FLUSH_TIMEOUT, cx).map(|()| false)
            }
        })
        .await
    }

    /// Ends the stream with an error event and the regular end of a chunked body: nothing more follows.
    pub(super) async fn end(
        mut self: Box<Self>,
        client: &mut Client,
        error: &ProxyError,
        dialect: Dialect,
        closes: bool,
    ) -> NextStep {
        tracing::debug!(kind = error.kind(), %error, "request refused after its stream had begun");
        let event = error_event(dialect, &error.body(dialect));
        self.unsent.extend_from_slice(chunk(&event).as_bytes());
        self.unsent.extend_from_slice(LAST_CHUNK.as_bytes());
        client.record.set_refusal(error, event.len());
        let written = self.flush(client).await;
        finish(client, written, closes)
    }
}
