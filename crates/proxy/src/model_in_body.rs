//! Finds the model that a request names in its body.

use super::authentication;
use super::body_reader::{read_piece, send_continue};
use super::exchange::{Exchange, ExchangeError};
use super::min_rate::TransferPace;
use super::unnamed_model;
use paddock_admission::error::ProxyError;
use paddock_admission::model::Model;
use paddock_wire::{Body, ModelScan, ScanResult};
use std::sync::Arc;

/// Result of the search in the part of the body that came with the head.
#[derive(Debug)]
pub(super) enum BodyModel {
    /// The request's model.
    Known(Arc<Model>),
    /// Not found yet: the search must continue in the rest of the body.
    Unknown(Box<ModelScan>),
}

/// Searches the part of the body that came with the head: nearly always the name is there.
pub(super) fn find_in_first_piece(exchange: &Exchange<'_>) -> Result<BodyModel, ProxyError> {
    let request = &*exchange.request;
    let bytes = request.buffer.bytes();
    let kind = request.head.content_type.map(|span| span.slice(bytes));
    let mut scan = ModelScan::for_content_type(kind);
    // The framing of these bytes has been parsed once already; this second pass extracts the data.
    let mut body = Body::for_request(request.head.framing);
    let mut outcome = ScanResult::More;
    body.follow_with(&bytes[request.head_len..], |data| outcome = scan.feed(data))
        .map_err(|error| ProxyError::BadRequest(error.into()))?;
    if outcome == ScanResult::More && request.body.is_complete() {
        outcome = scan.end();
    }
    match outcome {
        ScanResult::More => Ok(BodyModel::Unknown(Box::new(scan))),
        outcome => resolve(exchange, outcome, &scan).map(BodyModel::Known),
    }
}

/// Reads as much more of the body as the search needs, and buffers it.
pub(super) async fn find_in_rest(
    exchange: &mut Exchange<'_>,
    mut scan: Box<ModelScan>,
) -> Result<Arc<Model>, ExchangeError> {
    send_continue(exchange).await?;
    let mut pace = TransferPace::default();
    let mut outcome = ScanResult::More;
    while outcome == ScanResult::More {
        if exchange.request.body.is_complete() {
            outcome = scan.end();
            break;
        }
        let inspect = |data: &[u8]| outcome = scan.feed(data);
        read_piece(exchange, &mut pace, inspect).await?;
    }
    resolve(exchange, outcome, &scan).map_err(ExchangeError::Refused)
}

/// Returns the model that the finished search names, if the request's key allows it.
fn resolve(
    exchange: &Exchange<'_>,
    outcome: ScanResult,
    scan: &ModelScan,
) -> Result<Arc<Model>, ProxyError> {
    let catalog = exchange.worker.catalog();
    let found = match outcome {
        ScanResult::Found => catalog.find(scan.name().unwrap_or_default()),
        ScanResult::NotAString => Err(ProxyError::BadName("`model` is not a string")),
        ScanResult::TooLong => Err(ProxyError::BadName("`model` is longer than 512 bytes")),
        ScanResult::More | ScanResult::Absent => unnamed_model::resolve(&catalog, exchange.request),
    };
    authentication::authorize_model(&catalog, exchange.client, found)
}
