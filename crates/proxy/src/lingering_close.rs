//! Closes a connection without losing the last response.

use super::client::Client;
use super::worker::Worker;
use crate::linger_limits::{LingerLimits, LingerTimer};
use paddock_admission::phase::ServicePhase;
use std::future::poll_fn;
use std::task::{Context, Poll};
use tokio::io::AsyncWriteExt;

/// Closes the sending side, and discards what the client still sends, so that the client can read the
/// response.
pub(super) async fn close(worker: &Worker, client: &mut Client) {
    if client.stream.shutdown().await.is_err() {
        return;
    }
    client.timer.read_clock();
    client.timer.record_progress();
    let mut lingering = LingerTimer::new(client.timer.now());
    poll_fn(|cx| poll_discard(worker, client, &mut lingering, cx)).await;
    client.read_ahead = None;
}

/// Discards bytes. Ready when the client has closed its side, or a limit is reached.
fn poll_discard(
    worker: &Worker,
    client: &mut Client,
    lingering: &mut LingerTimer,
    cx: &mut Context<'_>,
) -> Poll<()> {
    client.status.register_waker(cx);
    loop {
        client.timer.read_clock();
        let now = client.timer.now();
        let limits = limits(worker.phase(), client.status.must_yield());
        let Some(deadline) = limits.and_then(|limits| lingering.deadline(limits, now)) else {
            return Poll::Ready(());
        };
        client.read_ahead = None;
        match client.poll_read_ahead(worker, cx) {
            Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
            Poll::Ready(Ok(read)) => {
                lingering.received(read, now);
                client.timer.record_progress();
            }
            Poll::Pending => {
                let wait = deadline.saturating_duration_since(client.timer.last_progress());
                return client.timer.poll_silent(wait, cx);
            }
        }
    }
}

/// Returns the limits for a client that still sends; `None` if the connection must close at once so that a
/// new one fits within the connection limit.
fn limits(phase: ServicePhase, must_yield: bool) -> Option<LingerLimits> {
    match phase {
        _ if must_yield => None,
        ServicePhase::Serving => Some(LingerLimits::SERVING),
        ServicePhase::Draining | ServicePhase::Cut => Some(LingerLimits::STOPPING),
    }
}
