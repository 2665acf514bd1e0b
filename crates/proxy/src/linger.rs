use super::client::Client;
use super::worker::Worker;
use crate::lingering::{LingerLimits, Lingering};
use paddock_admission::phase::ServicePhase;
use std::future::poll_fn;
use std::task::{Context, Poll};
use tokio::io::AsyncWriteExt;

/// Closes a connection whose client may still be sending, so that it can read the answer.
pub(super) async fn close(worker: &Worker, client: &mut Client) {
    if client.stream.shutdown().await.is_err() {
        return;
    }
    client.watchdog.look();
    client.watchdog.progress();
    let mut lingering = Lingering::new(client.watchdog.now());
    poll_fn(|cx| poll_discard(worker, client, &mut lingering, cx)).await;
    client.give_back_ahead(worker);
}

/// Discards what comes. Ready when the client has closed its side, or a limit is reached.
fn poll_discard(
    worker: &Worker,
    client: &mut Client,
    lingering: &mut Lingering,
    cx: &mut Context<'_>,
) -> Poll<()> {
    client.card.watch(cx);
    loop {
        client.watchdog.look();
        let now = client.watchdog.now();
        let limits = limits(worker.phase(), client.card.is_unwanted());
        let Some(deadline) = limits.and_then(|limits| lingering.deadline(limits, now)) else {
            return Poll::Ready(());
        };
        client.give_back_ahead(worker);
        match client.poll_read_ahead(worker, cx) {
            Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
            Poll::Ready(Ok(read)) => {
                lingering.received(read, now);
                client.watchdog.progress();
            }
            Poll::Pending => {
                let wait = deadline.saturating_duration_since(client.watchdog.last());
                return client.watchdog.poll_silent(wait, cx);
            }
        }
    }
}

/// Returns how long a client may go on sending; `None` where others need its connection's place.
fn limits(phase: ServicePhase, is_unwanted: bool) -> Option<LingerLimits> {
    match phase {
        _ if is_unwanted => None,
        ServicePhase::Serving => Some(LingerLimits::SERVING),
        ServicePhase::Draining | ServicePhase::Cut => Some(LingerLimits::STOPPING),
    }
}
