//! Reads request bodies into memory before their requests get a lease (the permission to send one request to a
//! loaded model), so that a slow client occupies memory but no slot of the model.

use super::buffer::Buffer;
use super::client::Client;
use super::exchange::{Exchange, ExchangeError};
use super::heartbeat;
use super::min_rate::{MinRate, TransferPace};
use super::request::SILENCE_TIMEOUT;
use super::worker::Worker;
use paddock_admission::error::ProxyError;
use paddock_admission::model::Model;
use paddock_admission::phase::ServicePhase;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;

/// Buffered bytes at which the request of a fast client proceeds to its model; the rest of the body is streamed.
const STREAMING_THRESHOLD_BYTES: usize = 1024 * 1024;

/// Bytes of bodies and responses in a worker's memory above which nothing more is read ahead: a request proceeds
/// to its model with the part of its body that has arrived.
pub(super) const MAX_READ_AHEAD_BYTES: usize = 64 * 1024 * 1024;

/// Interim response for a client that sends its body only when asked (RFC 9110 §10.1.1).
const CONTINUE_RESPONSE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Reads the body to its end, or to [`STREAMING_THRESHOLD_BYTES`] from a client that keeps
/// [`MinRate::WITH_LEASE`], or until the worker buffers [`MAX_READ_AHEAD_BYTES`]. If the body's `stream`
/// member decides about heartbeats (comments to a client that waits), reads up to
/// [`heartbeat::MAX_BODY_BYTES`].
pub(super) async fn read_before_lease(
    exchange: &mut Exchange<'_>,
    model: &Model,
) -> Result<(), ExchangeError> {
    send_continue(exchange).await?;
    let enough = if heartbeat::can_stream(exchange, model) {
        heartbeat::MAX_BODY_BYTES
    } else {
        STREAMING_THRESHOLD_BYTES
    };
    let mut pace = TransferPace::default();
    while !exchange.request.body.is_complete()
        && exchange.worker.pool.buffered_bytes() < MAX_READ_AHEAD_BYTES
    {
        let has_enough = exchange.request.buffered_bytes() >= enough;
        if has_enough && !pace.is_below(MinRate::WITH_LEASE) {
            break;
        }
        read_piece(exchange, &mut pace, |_| {}).await?;
    }
    Ok(())
}

/// Sends `100 Continue` once to a client that waits for it. paddock sends its own, since the child gets the
/// request only after the body, or a part of the body, has arrived; a `100 Continue` from the child is dropped.
pub(super) async fn send_continue(exchange: &mut Exchange<'_>) -> Result<(), ExchangeError> {
    let Exchange {
        client, request, ..
    } = exchange;
    if !request.head.expects_continue || request.sent_continue || request.body.data_bytes() > 0 {
        return Ok(());
    }
    request.sent_continue = true;
    let mut left = CONTINUE_RESPONSE;
    client.timer.read_clock();
    client.timer.record_progress();
    poll_fn(|cx| {
        while !left.is_empty() {
            match Pin::new(&mut client.stream).poll_write(cx, left) {
                Poll::Ready(Ok(written)) => left = &left[written.min(left.len())..],
                Poll::Ready(Err(_)) => return Poll::Ready(Err(ExchangeError::ClientGone)),
                Poll::Pending => {
                    client.timer.read_clock();
                    let silent = client.timer.poll_silent(SILENCE_TIMEOUT, cx);
                    return silent.map(|()| Err(ExchangeError::ClientGone));
                }
            }
        }
        Poll::Ready(Ok(()))
    })
    .await
}

/// Reads one more piece of the body, passes its data to `inspect` and buffers the piece.
pub(super) async fn read_piece(
    exchange: &mut Exchange<'_>,
    pace: &mut TransferPace,
    inspect: impl FnMut(&[u8]),
) -> Result<(), ExchangeError> {
    if exchange.client.read_ahead.is_none() {
        exchange.client.timer.read_clock();
        exchange.client.timer.record_progress();
        poll_fn(|cx| poll_client(exchange.worker, exchange.client, pace, cx)).await?;
    }
    let piece = take_piece(exchange, inspect).map_err(ExchangeError::Refused)?;
    let Exchange {
        worker, request, ..
    } = exchange;
    match piece.is_none_or(|piece| request.buffered_body.try_push(worker, piece)) {
        true => Ok(()),
        false => Err(ExchangeError::Refused(ProxyError::TooMuchBuffered)),
    }
}

/// Takes the piece of the body that has been read from the client, and passes its data to `inspect`. Bytes
/// behind the body's end stay with the client.
pub(super) fn take_piece(
    exchange: &mut Exchange<'_>,
    inspect: impl FnMut(&[u8]),
) -> Result<Option<Buffer>, ProxyError> {
    let Exchange {
        worker,
        client,
        request,
        ..
    } = exchange;
    let Some(mut piece) = client.read_ahead.take() else {
        return Ok(None);
    };
    let taken = request.body.follow_with(piece.bytes(), inspect);
    let taken = taken.map_err(|error| ProxyError::BadRequest(error.into()))?;
    client.record.set_body_bytes(request.body.data_bytes());
    client.keep_read_ahead(worker, &mut piece, taken);
    request.check_size(worker.context.body_limit)?;
    Ok(Some(piece))
}

/// Reads bytes from the client. Fails if the client falls below the minimum rate.
fn poll_client(
    worker: &Worker,
    client: &mut Client,
    pace: &mut TransferPace,
    cx: &mut Context<'_>,
) -> Poll<Result<(), ExchangeError>> {
    client.status.register_waker(cx);
    client.timer.read_clock();
    if worker.phase() == ServicePhase::Cut {
        return Poll::Ready(Err(ExchangeError::Refused(ProxyError::ShuttingDown)));
    }
    if client.status.is_cancelled() {
        return Poll::Ready(Err(ExchangeError::Refused(ProxyError::Cancelled)));
    }
    match client.poll_read_ahead(worker, cx) {
        Poll::Pending => {}
        Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(ExchangeError::ClientGone)),
        Poll::Ready(Ok(read)) => {
            pace.add_bytes(read, client.timer.now());
            return Poll::Ready(Ok(()));
        }
    }
    pace.start_waiting(client.timer.now());
    let slow = pace.deadline(MinRate::BEFORE_LEASE);
    let slow = slow.map_or(SILENCE_TIMEOUT, |due| {
        due.saturating_duration_since(client.timer.last_progress())
    });
    let limit = slow.min(SILENCE_TIMEOUT);
    if client.timer.poll_silent(limit, cx).is_pending() {
        return Poll::Pending;
    }
    let error = if limit < SILENCE_TIMEOUT {
        ProxyError::too_slow_sender(MinRate::BEFORE_LEASE.bytes_per_second(), false)
    } else {
        ProxyError::RequestTimeout(SILENCE_TIMEOUT)
    };
    Poll::Ready(Err(ExchangeError::Refused(error)))
}
