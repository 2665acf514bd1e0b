//! Connections for which there is no place.

use super::reply::head_of;
use super::workers::Accepted;
use crate::error::{Dialect, ProxyError};
use rustix::net::{SendFlags, Shutdown};
use std::collections::VecDeque;
use std::future::pending;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Refused connections that stay open at once.
const MAX_LINGERING: usize = 8;

/// How long a refused connection stays open. Closed at once, the unread request would make the system send
/// a reset, which can destroy the answer on its way (RFC 9112 §9.6).
const LINGER_TIME: Duration = Duration::from_secs(2);

/// Refused connections whose clients are to read why.
#[derive(Debug, Default)]
pub(super) struct Refused {
    lingering: VecDeque<(Instant, Accepted)>,
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
        if self.lingering.len() == MAX_LINGERING {
            self.lingering.pop_front();
        }
        self.lingering
            .push_back((Instant::now() + LINGER_TIME, connection));
    }

    /// Waits until the oldest has stayed long enough, and closes it. Never ends if there is none.
    pub(super) async fn linger(&mut self) {
        match self.lingering.front() {
            Some((until, _)) => sleep_until(*until).await,
            None => pending().await,
        }
        self.lingering.pop_front();
    }
}
