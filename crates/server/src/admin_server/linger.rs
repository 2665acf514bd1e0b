//! Closes connections of the admin plane (the routes for operators) without losing their last answers.
//!
//! A plain close would make the kernel answer unread bytes with a reset, which can destroy the answer on its way.

use paddock_proxy::linger_limits::{LingerLimits, LingerTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

/// Bytes to read at once.
const READ_BUFFER_SIZE: usize = 16 * 1024;

/// Closes the sending side, then discards received data until the client closes or a limit is reached.
pub(super) async fn close(mut stream: impl AsyncRead + AsyncWrite + Unpin, limits: LingerLimits) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let mut discarded = vec![0; READ_BUFFER_SIZE];
    let mut lingering = LingerTimer::new(Instant::now());
    while let Some(deadline) = lingering.deadline(limits, Instant::now()) {
        match timeout_at(deadline, stream.read(&mut discarded)).await {
            Ok(Ok(read @ 1..)) => lingering.received(read, Instant::now()),
            _ => return,
        }
    }
}
