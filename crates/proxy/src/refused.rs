//! Connections for which there is no place.

use super::reply::head_of;
use super::stream::Stream;
use super::workers::Accepted;
use crate::lingering::{LingerLimits, Lingering};
use paddock_admission::error::{Dialect, ProxyError};
use rustix::net::{SendFlags, Shutdown};
use std::collections::VecDeque;
use std::future::{pending, poll_fn};
use std::task::{Context, Poll};
use tokio::time::{Instant, sleep_until};

/// Refused connections that stay open at once.
const MAX_LINGERING: usize = 8;

/// Bytes that are read from a refused connection at once.
const PIECE: usize = 64 * 1024;

/// Refused connections whose clients are to read why.
#[derive(Debug, Default)]
pub(super) struct Refused {
    open: VecDeque<RefusedConnection>,
    /// For what is read and discarded.
    discarded: Vec<u8>,
}

#[derive(Debug)]
struct RefusedConnection {
    stream: Stream,
    lingering: Lingering,
}

impl Refused {
    /// Answers a connection with an error, whatever it is going to ask, and closes it a little later.
    pub(super) fn refuse(&mut self, connection: Accepted, error: &ProxyError) {
        let body = error.body(Dialect::OpenAi).to_string();
        let answer = format!(
            "{}Content-Type: application/json; charset=utf-8\r\nx-paddock-error: {}\r\n\
             Retry-After: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            head_of(error.status()),
            error.kind(),
            error.retry_after().unwrap_or(1),
            body.len(),
        );
        tracing::debug!(kind = error.kind(), %error, "refused");
        // Nothing has been sent before, so there is room; a client that has left reads nothing.
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        let _ = rustix::net::send(&connection, answer.as_bytes(), flags);
        let _ = rustix::net::shutdown(&connection, Shutdown::Write);
        if self.open.len() == MAX_LINGERING {
            self.open.pop_front();
        }
        match connection.register() {
            Ok(stream) => self.open.push_back(RefusedConnection {
                stream,
                lingering: Lingering::new(Instant::now()),
            }),
            Err(error) => tracing::debug!(%error, "a refused connection is closed at once"),
        }
    }

    /// Discards what comes, until a connection has stayed long enough or its client has closed it, and closes it.
    /// Never ends if there is none.
    pub(super) async fn linger(&mut self) {
        let now = Instant::now();
        let deadline = |open: &RefusedConnection| {
            let deadline = open.lingering.deadline(LingerLimits::REFUSED, now);
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
        self.open.retain(|open| {
            open.lingering
                .deadline(LingerLimits::REFUSED, now)
                .is_some()
        });
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
    /// Ready when the client has closed its side, or has sent as much as it may.
    fn poll_discard(&mut self, discarded: &mut Vec<u8>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            discarded.clear();
            discarded.reserve(PIECE);
            let read = self.stream.poll_read_into(cx, || &mut *discarded, PIECE);
            let now = Instant::now();
            match read {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(read)) => self.lingering.received(read, now),
                Poll::Pending => return Poll::Pending,
            }
            if self
                .lingering
                .deadline(LingerLimits::REFUSED, now)
                .is_none()
            {
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
            most: 1,
            of_address: false,
        };
        let mut refused = Refused::default();
        refused.refuse(Accepted::Unix(ours), &error);
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
