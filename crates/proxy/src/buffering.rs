//! Reads request bodies into memory before their requests take a place with a model, so that a client that
//! sends slowly occupies memory and no place.

use super::client::Client;
use super::exchange::Denied;
use super::heartbeat;
use super::pace::{MinRate, Pace};
use super::request::{Request, SILENCE};
use super::worker::Worker;
use paddock_admission::error::ProxyError;
use paddock_admission::model::Model;
use paddock_admission::phase::ServicePhase;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;

/// Bytes of a body after which a request goes on to its model, if its client sends fast enough to go on
/// sending from there.
const ENOUGH: usize = 1024 * 1024;

/// Bytes of bodies and answers in a worker's memory above which no more is read ahead: a request goes on to
/// its model with what has come of it.
pub(super) const MAX_BUFFERED: usize = 64 * 1024 * 1024;

/// Interim answer that a client waits for that asks before it sends (RFC 9110 §10.1.1).
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Reads the body to its end, or to [`ENOUGH`] from a client that keeps [`MinRate::WITH_LEASE`], or until
/// the worker holds [`MAX_BUFFERED`]. A body whose `stream` is to be known once the request waits is read to its
/// end up to [`heartbeat::MAX_BODY`].
pub(super) async fn buffer(
    worker: &Worker,
    client: &mut Client,
    request: &mut Request,
    model: &Model,
) -> Result<(), Denied> {
    say_continue(client, request).await?;
    let enough = if heartbeat::is_possible(client, request, model) {
        heartbeat::MAX_BODY
    } else {
        ENOUGH
    };
    let mut pace = Pace::default();
    while !request.body.is_complete() && worker.held.get() < MAX_BUFFERED {
        let is_enough = request.buffered_bytes() >= enough;
        if is_enough && !pace.is_below(MinRate::WITH_LEASE) {
            break;
        }
        read_piece(worker, client, request, &mut pace, |_| {}).await?;
    }
    Ok(())
}

/// Tells a client that waits for it to send its body, once. paddock answers itself, since the child is not
/// asked before the body is here; the child's own `100 Continue` is dropped then.
pub(super) async fn say_continue(client: &mut Client, request: &mut Request) -> Result<(), Denied> {
    if !request.head.expects_continue || request.invited || request.body.data_bytes() > 0 {
        return Ok(());
    }
    request.invited = true;
    let mut left = CONTINUE;
    client.watchdog.look();
    client.watchdog.progress();
    poll_fn(|cx| {
        while !left.is_empty() {
            match Pin::new(&mut client.stream).poll_write(cx, left) {
                Poll::Ready(Ok(written)) => left = &left[written.min(left.len())..],
                Poll::Ready(Err(_)) => return Poll::Ready(Err(Denied::ClientGone)),
                Poll::Pending => {
                    client.watchdog.look();
                    let silent = client.watchdog.poll_silent(SILENCE, cx);
                    return silent.map(|()| Err(Denied::ClientGone));
                }
            }
        }
        Poll::Ready(Ok(()))
    })
    .await
}

/// Reads one more piece of the body, shows its data to `look` and keeps it to be passed on.
pub(super) async fn read_piece(
    worker: &Worker,
    client: &mut Client,
    request: &mut Request,
    pace: &mut Pace,
    look: impl FnMut(&[u8]),
) -> Result<(), Denied> {
    if client.ahead.is_none() {
        client.watchdog.look();
        client.watchdog.progress();
        poll_fn(|cx| poll_ahead(worker, client, pace, cx)).await?;
    }
    let Some(mut piece) = client.ahead.take() else {
        return Ok(());
    };
    let taken = match request.body.follow_with(piece.bytes(), look) {
        Ok(taken) => taken,
        Err(error) => {
            worker.pool.give(piece);
            return Err(Denied::Error(ProxyError::BadRequest(error.into())));
        }
    };
    client.record.set_body_bytes(request.body.data_bytes());
    client.keep_ahead(worker, &mut piece, taken);
    let limit = worker.site.body_limit;
    if request.body.data_bytes() > limit {
        worker.pool.give(piece);
        return Err(Denied::Error(ProxyError::BodyTooLarge { limit }));
    }
    if !request.held.push(worker, piece) {
        return Err(Denied::Error(ProxyError::TooMuchHeld));
    }
    Ok(())
}

/// Reads what has come, for as long as the client keeps the minimum rate.
fn poll_ahead(
    worker: &Worker,
    client: &mut Client,
    pace: &mut Pace,
    cx: &mut Context<'_>,
) -> Poll<Result<(), Denied>> {
    client.card.watch(cx);
    client.watchdog.look();
    if worker.phase() == ServicePhase::Cut {
        return Poll::Ready(Err(Denied::Error(ProxyError::ShuttingDown)));
    }
    if client.card.is_cancelled() {
        return Poll::Ready(Err(Denied::Error(ProxyError::Cancelled)));
    }
    match client.poll_read_ahead(worker, cx) {
        Poll::Pending => {}
        Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(Denied::ClientGone)),
        Poll::Ready(Ok(read)) => {
            pace.moved(read, client.watchdog.now());
            return Poll::Ready(Ok(()));
        }
    }
    pace.wait(client.watchdog.now());
    let slow = pace.deadline(MinRate::BEFORE_LEASE);
    let slow = slow.map_or(SILENCE, |due| {
        due.saturating_duration_since(client.watchdog.last())
    });
    let limit = slow.min(SILENCE);
    if client.watchdog.poll_silent(limit, cx).is_pending() {
        return Poll::Pending;
    }
    let error = if limit < SILENCE {
        ProxyError::too_slow_sender(MinRate::BEFORE_LEASE.bytes_per_second(), false)
    } else {
        ProxyError::RequestTimeout(SILENCE)
    };
    Poll::Ready(Err(Denied::Error(error)))
}
