//! Notices that a client has disconnected, and ends the wait of the client's request.

use super::client::Client;
use super::exchange::{Exchange, ExchangeError};
use super::worker::Worker;
use paddock_admission::error::ProxyError;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

impl Client {
    /// Ready when the client has closed its side. Bytes that the client sends meanwhile go into `read_ahead`. Once
    /// that buffer is full, further bytes stay in the kernel, and a close behind them goes unnoticed.
    pub(super) fn poll_disconnect(&mut self, worker: &Worker, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match self.poll_read_ahead(worker, cx) {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(_)) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

/// Waits for `waiting`. Fails if the client disconnects or the operator cancels the request first.
pub(super) async fn wait_with_client<T>(
    exchange: &mut Exchange<'_>,
    waiting: impl Future<Output = T>,
) -> Result<T, ExchangeError> {
    let mut waiting = pin!(waiting);
    poll_fn(|cx| poll_with_client(exchange, waiting.as_mut(), cx)).await
}

/// Fails if the request is cancelled; else polls `waiting`, then the client's connection.
pub(super) fn poll_with_client<T>(
    exchange: &mut Exchange<'_>,
    waiting: Pin<&mut impl Future<Output = T>>,
    cx: &mut Context<'_>,
) -> Poll<Result<T, ExchangeError>> {
    let Exchange { worker, client, .. } = exchange;
    client.status.register_waker(cx);
    if client.status.is_cancelled() {
        return Poll::Ready(Err(ExchangeError::Refused(ProxyError::Cancelled)));
    }
    if let Poll::Ready(done) = waiting.poll(cx) {
        return Poll::Ready(Ok(done));
    }
    if client.poll_disconnect(worker, cx).is_ready() {
        return Poll::Ready(Err(ExchangeError::ClientGone));
    }
    Poll::Pending
}
