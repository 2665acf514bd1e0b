//! Which model a request names in its body.

use super::buffering::{read_piece, say_continue};
use super::client::Client;
use super::exchange::Denied;
use super::key;
use super::nameless;
use super::pace::Pace;
use super::request::Request;
use super::worker::Worker;
use paddock_admission::error::ProxyError;
use paddock_admission::model::Model;
use paddock_wire::{Body, ModelScan, ScanResult};
use std::sync::Arc;

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
    let kind = request.head.content_type.map(|span| span.slice(bytes));
    let mut scan = ModelScan::for_content_type(kind);
    // It has been followed already, and not looked at.
    let mut body = Body::for_request(request.head.framing);
    let mut said = ScanResult::More;
    body.follow_with(&bytes[request.head_len..], |data| said = scan.feed(data))
        .map_err(|error| ProxyError::BadRequest(error.into()))?;
    if said == ScanResult::More && request.body.is_complete() {
        said = scan.end();
    }
    match said {
        ScanResult::More => Ok(Named::Further(Box::new(scan))),
        said => model(worker, client, request, said, &scan).map(Named::Model),
    }
}

/// Reads as much more of the body as it takes to know its model, and keeps that to be passed on first.
pub(super) async fn find(
    worker: &Worker,
    client: &mut Client,
    request: &mut Request,
    mut scan: Box<ModelScan>,
) -> Result<Arc<Model>, Denied> {
    say_continue(client, request).await?;
    let mut pace = Pace::default();
    let mut said = ScanResult::More;
    while said == ScanResult::More {
        if request.body.is_complete() {
            said = scan.end();
            break;
        }
        let look = |data: &[u8]| said = scan.feed(data);
        read_piece(worker, client, request, &mut pace, look).await?;
    }
    model(worker, client, request, said, &scan).map_err(Denied::Error)
}

/// The model that a search which has ended has found, if the request's key is for it.
fn model(
    worker: &Worker,
    client: &Client,
    request: &Request,
    said: ScanResult,
    scan: &ModelScan,
) -> Result<Arc<Model>, ProxyError> {
    let catalog = worker.catalog();
    let found = match said {
        ScanResult::Found => catalog.find(scan.name().unwrap_or_default()),
        ScanResult::NotAString => Err(ProxyError::BadName("`model` is not a string")),
        ScanResult::TooLong => Err(ProxyError::BadName("`model` is longer than 512 bytes")),
        ScanResult::More | ScanResult::Absent => nameless::model(&catalog, request),
    };
    key::allowed(&catalog, client, found)
}
