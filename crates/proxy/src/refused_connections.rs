//! Answers connections above the connection limit with an error, and closes them.

use super::local_reply::status_line;
use super::stream::{NO_SIGNAL, Stream};
use super::worker::threads::AcceptedConnection;
use crate::linger_limits::{LingerLimits, LingerTimer};
use paddock_admission::error::{Dialect, ProxyError};
use rustix::net::{SendFlags, Shutdown};
use std::collections::VecDeque;
use std::future::{pending, poll_fn};
use std::task::{Context, Poll};
use tokio::time::{Instant, sleep_until};

/// Most refused connections open at once; a further one closes the oldest.
const MAX_LINGERING: usize = 8;

/// Bytes read from a refused connection at once.
const DISCARD_BUFFER_BYTES: usize = 64 * 1024;

/// Refused connections that stay open so that their clients can read the reason.
#[derive(Debug, Default)]
pub(super) struct RefusedConnections {
    open: VecDeque<RefusedConnection>,
    /// Buffer for discarded bytes.
    discarded: Vec<u8>,
}

/// A refused connection whose client may still read the error.
#[derive(Debug)]
struct RefusedConnection {
    stream: Stream,
    timer: LingerTimer,
}

impl RefusedConnections {
    /// Sends an error without reading the request, and keeps the connection open for a moment.
    pub(super) fn refuse(&mut self, connection: AcceptedConnection, error: &ProxyError) {
        let body = error.body(Dialect::OpenAi).to_string();
        let answer = format!(
            "{}Content-Type: application/json; charset=utf-8\r\nx-paddock-error: {}\r\n\
             Retry-After: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            status_line(error.status()),
            error.kind(),
            error.retry_after().unwrap_or(1),
            body.len(),
        );
        tracing::debug!(kind = error.kind(), %error, "connection refused");
        // Nothing has been sent yet, so the socket buffer has room. A client that has left reads nothing.
        let flags = SendFlags::DONTWAIT | NO_SIGNAL;
        let _ = rustix::net::send(&connection, answer.as_bytes(), flags);
        let _ = rustix::net::shutdown(&connection, Shutdown::Write);
        if self.open.len() == MAX_LINGERING {
            self.open.pop_front();
        }
        match connection.register() {
            Ok(stream) => self.open.push_back(RefusedConnection {
                stream,
                timer: LingerTimer::new(Instant::now()),
            }),
            Err(error) => {
                tracing::debug!(%error, "cannot keep a refused connection open for its client");
            }
        }
    }

    /// Discards bytes until a connection's time is over or its client has closed, and closes that connection.
    /// Pending forever if none is open.
    pub(super) async fn linger(&mut self) {
        let now = Instant::now();
        let deadline = |open: &RefusedConnection| {
            let deadline = open.timer.deadline(LingerLimits::REFUSED, now);
            deadline.unwrap_or(now)
        };
        let Some(first) = self.open.iter().map(deadline).min() else {
            return pending().await;
        };
        tokio::select! {
            () = poll_fn(|cx| self.poll_discard(cx)) => {}
            () = sleep_until(first) => {}
        }
        let now = Instant::now();
        self.open
            .retain(|open| open.timer.deadline(LingerLimits::REFUSED, now).is_some());
    }

    /// Ready when a connection has been closed.
    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let before = self.open.len();
        let discarded = &mut self.discarded;
        self.open
            .retain_mut(|open| open.poll_discard(discarded, cx).is_pending());
        if self.open.len() < before {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl RefusedConnection {
    /// Ready when the client has closed its side, or has sent the maximum.
    fn poll_discard(&mut self, discarded: &mut Vec<u8>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            discarded.clear();
            discarded.reserve(DISCARD_BUFFER_BYTES);
            let read = self
                .stream
                .poll_read_into(cx, || &mut *discarded, DISCARD_BUFFER_BYTES);
            let now = Instant::now();
            match read {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(read)) => self.timer.received(read, now),
                Poll::Pending => return Poll::Pending,
            }
            if self.timer.deadline(LingerLimits::REFUSED, now).is_none() {
                return Poll::Ready(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    #[tokio::test]
    async fn a_client_that_sends_a_large_body_first_reads_why_it_is_refused() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let error = ProxyError::TooManyConnections {
            max: 1,
            per_address: false,
        };
        let mut refused = RefusedConnections::default();
        refused.refuse(AcceptedConnection::Unix(ours), &error);
        let client = tokio::task::spawn_blocking(move || {
            theirs.write_all(&vec![b'x'; 8 << 20])?;
            let mut answer = String::new();
            theirs.read_to_string(&mut answer).map(|_| answer)
        });
        let lingering = async {
            for _ in 0..1000 {
                refused.linger().await;
            }
        };
        let answer = tokio::select! {
            answer = client => answer.unwrap().unwrap(),
            () = lingering => unreachable!(),
        };
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    }
}
