//! The start of a stream before the child's own answer: a head and comments, for a client whose request waits.

use super::answer::{LAST_CHUNK, chunk};
use super::client::{After, Client};
use super::origin;
use super::reply::{conclude, error_event, head_of};
use super::request::Request;
use super::worker::Worker;
use paddock_admission::error::{Dialect, ProxyError};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::AsyncWrite;

/// A comment of a stream: clients pass over lines that begin with a colon (HTML §9.2.6).
const COMMENT: &str = ": waiting for the model\n\n";

const FIELDS: &str = "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n";

/// Longest wait for a client to take what it was sent before.
const FLUSH_TIME: Duration = Duration::from_secs(10);

/// An answer that has begun before the child's: what its client has not taken yet.
#[derive(Debug)]
pub(super) struct EarlyStream {
    unsent: Vec<u8>,
}

impl EarlyStream {
    /// Begins the answer to a request with 200 and a comment.
    pub(super) fn begin(worker: &Worker, client: &Client, request: &Request) -> Self {
        let mut head = head_of(200) + FIELDS;
        if request.head.close {
            head.push_str("Connection: close\r\n");
        }
        let cors = origin::lines_for(worker, client, false);
        let comment = chunk(COMMENT);
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

    /// Adds a comment, unless the client has still to take the one before.
    pub(super) fn add_comment(&mut self) {
        if self.unsent.is_empty() {
            self.unsent.extend_from_slice(chunk(COMMENT).as_bytes());
        }
    }

    /// Writes what the client takes.
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

    /// Writes all of it. Returns whether the client took it.
    pub(super) async fn flush(&mut self, client: &mut Client) -> bool {
        client.watchdog.look();
        client.watchdog.progress();
        poll_fn(|cx| match self.poll_flush(client, cx) {
            Poll::Ready(written) => Poll::Ready(written.is_ok()),
            Poll::Pending => {
                client.watchdog.look();
                client.watchdog.poll_silent(FLUSH_TIME, cx).map(|()| false)
            }
        })
        .await
    }

    /// Ends the stream with an error event: all that this answer has, so that it ends as a whole one does.
    pub(super) async fn end(
        mut self: Box<Self>,
        client: &mut Client,
        error: &ProxyError,
        dialect: Dialect,
        closes: bool,
    ) -> After {
        tracing::debug!(kind = error.kind(), %error, "refused in a stream that has begun");
        let event = error_event(dialect, &error.body(dialect));
        self.unsent.extend_from_slice(chunk(&event).as_bytes());
        self.unsent.extend_from_slice(LAST_CHUNK.as_bytes());
        client.record.set_refusal(error, event.len());
        let written = self.flush(client).await;
        conclude(client, written, closes)
    }
}
