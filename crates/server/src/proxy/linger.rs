use super::client::Client;
use super::worker::Worker;
use std::future::poll_fn;
use std::task::{Poll, ready};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

/// How long and how much a client may go on sending after its last answer.
const LIMIT: Duration = Duration::from_secs(2);
const MOST: usize = 1024 * 1024;

/// Closes a connection whose client may still be sending. A plain close would make the system
/// answer what is unread with a reset, and that can destroy the answer on its way
/// (RFC 9112 §9.6): so only the sending side is closed, and the rest is read and thrown away.
pub(super) async fn close(worker: &Worker, client: &mut Client) {
    if client.stream.shutdown().await.is_err() {
        return;
    }
    let mut thrown = 0;
    let draining = poll_fn(|cx| {
        loop {
            client.give_back_ahead(worker);
            match ready!(client.poll_read_ahead(worker, cx)) {
                Ok(0) | Err(_) => return Poll::Ready(()),
                Ok(read) => thrown += read,
            }
            if thrown > MOST {
                return Poll::Ready(());
            }
        }
    });
    // Past the limit the connection is closed as it is.
    let _ = timeout(LIMIT, draining).await;
    client.give_back_ahead(worker);
}
