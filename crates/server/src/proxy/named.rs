//! Which model a request names in its body.

use super::client::Client;
use super::exchange::Denied;
use super::key;
use super::request::{Request, SILENCE};
use super::worker::Worker;
use crate::error::ProxyError;
use crate::model::Model;
use crate::runtime::Phase;
use paddock_wire::{Body, ModelScan, Scan};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use tokio::io::AsyncWrite;

/// What a client waits for that asks before it sends (RFC 9110 §10.1.1).
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// What is known when the part of the body that came with the head has been read.
#[derive(Debug)]
pub(super) enum Named {
    /// The model it is for.
    Model(Arc<Model>),
    /// The name lies behind that part.
    Further(Box<ModelScan>),
}

/// Looks for the name in what came of the body with the head: nearly always it is there.
pub(super) fn at_hand(
    worker: &Worker,
    client: &Client,
    request: &Request,
) -> Result<Named, ProxyError> {
    let bytes = request.buffer.bytes();
    let kind = request.head.content_type.map(|span| span.of(bytes));
    let mut scan = ModelScan::for_content_type(kind);
    // It has been followed already, and not looked at.
    let mut body = Body::new(request.head.framing);
    let mut said = Scan::More;
    body.follow_with(&bytes[request.head_len..], |data| said = scan.feed(data))
        .map_err(|error| ProxyError::BadRequest(error.into()))?;
    if said == Scan::More && request.body.is_complete() {
        said = scan.end();
    }
    match said {
        Scan::More => Ok(Named::Further(Box::new(scan))),
        said => model(worker, client, said, &scan).map(Named::Model),
    }
}

/// Reads as much more of the body as it takes to know its model, and keeps that to be passed on first.
pub(super) async fn find(
    worker: &Worker,
    client: &mut Client,
    request: &mut Request,
    mut scan: Box<ModelScan>,
) -> Result<Arc<Model>, Denied> {
    if request.head.expects_continue && request.body.data_bytes() == 0 {
        say_continue(client).await?;
    }
    let mut said = Scan::More;
    while said == Scan::More {
        if request.body.is_complete() {
            said = scan.end();
            break;
        }
        said = more(worker, client, request, &mut scan).await?;
    }
    model(worker, client, said, &scan).map_err(Denied::Error)
}

/// The model that a search which has ended has found, if the request's key is for it.
fn model(
    worker: &Worker,
    client: &Client,
    said: Scan,
    scan: &ModelScan,
) -> Result<Arc<Model>, ProxyError> {
    let catalog = worker.catalog();
    let found = match said {
        Scan::Found => catalog.find(scan.name().unwrap_or_default()),
        Scan::NotAString => Err(ProxyError::BadName("`model` is not a string")),
        Scan::TooLong => Err(ProxyError::BadName("`model` is longer than 512 bytes")),
        Scan::More | Scan::Absent => catalog.unnamed(),
    };
    key::allowed(&catalog, client, found)
}

/// Reads one more piece.
async fn more(
    worker: &Worker,
    client: &mut Client,
    request: &mut Request,
    scan: &mut ModelScan,
) -> Result<Scan, Denied> {
    if client.ahead.is_none() {
        client.watchdog.look();
        client.watchdog.progress();
        poll_fn(|cx| {
            client.card.watch(cx);
            client.watchdog.look();
            if worker.phase() == Phase::Cut {
                return Poll::Ready(Err(Denied::Error(ProxyError::ShuttingDown)));
            }
            if client.watchdog.poll_silent(SILENCE, cx).is_ready() {
                return Poll::Ready(Err(Denied::Error(ProxyError::RequestTimeout(SILENCE))));
            }
            match client.poll_read_ahead(worker, cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Ok(0) | Err(_)) => Poll::Ready(Err(Denied::ClientGone)),
                Poll::Ready(Ok(_)) => Poll::Ready(Ok(())),
            }
        })
        .await?;
    }
    let Some(mut piece) = client.ahead.take() else {
        return Ok(Scan::More);
    };
    let mut said = Scan::More;
    let followed = request
        .body
        .follow_with(piece.bytes(), |data| said = scan.feed(data));
    let taken = match followed {
        Ok(taken) => taken,
        Err(error) => {
            worker.pool.give(piece);
            return Err(Denied::Error(ProxyError::BadRequest(error.into())));
        }
    };
    client.record.took(request.body.data_bytes());
    client.keep_ahead(worker, &mut piece, taken);
    let limit = worker.site.body_limit;
    if request.body.data_bytes() > limit {
        worker.pool.give(piece);
        return Err(Denied::Error(ProxyError::BodyTooLarge { limit }));
    }
    if !request.held.push(worker, piece) {
        return Err(Denied::Error(ProxyError::TooMuchHeld));
    }
    Ok(said)
}

async fn say_continue(client: &mut Client) -> Result<(), Denied> {
    let mut left = CONTINUE;
    let written: io::Result<()> = poll_fn(|cx| {
        while !left.is_empty() {
            match Pin::new(&mut client.stream).poll_write(cx, left) {
                Poll::Ready(Ok(written)) => left = &left[written.min(left.len())..],
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    })
    .await;
    written.map_err(|_| Denied::ClientGone)
}
