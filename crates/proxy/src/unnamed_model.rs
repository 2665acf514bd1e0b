//! Finds the model of a request that names none, or explains why there is none.

use super::request::Request;
use paddock_admission::catalog::Catalog;
use paddock_admission::error::{ProxyError, Unroutable};
use paddock_admission::model::Model;
use paddock_admission::upstream_routes;
use paddock_wire::{Body, ModelScan, field_lines};
use serde::de::IgnoredAny;
use std::iter;
use std::sync::Arc;

/// Bytes of a body that are searched for a JSON error.
const MAX_EXAMINED_BYTES: usize = 1024 * 1024;

/// Longest part of a Content-Encoding that an error repeats, in bytes.
const MAX_CODING_BYTES: usize = 100;

/// Byte order mark that some editors put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Returns the model of requests that name none.
///
/// # Errors
/// No model serves such requests. If the request is at fault, the error says why it names no model.
pub(super) fn resolve(catalog: &Catalog, request: &Request) -> Result<Arc<Model>, ProxyError> {
    catalog
        .default_model()
        .map_err(|error| match explain(request) {
            Some(reason) => ProxyError::Unroutable(reason),
            None => error,
        })
}

/// Returns the fault of a request that should have named a model, if one is found.
fn explain(request: &Request) -> Option<Unroutable> {
    let head = request.buffer.bytes().get(..request.head_len)?;
    if !upstream_routes::is_route(request.head.path(head)) {
        return Some(Unroutable::UnknownRoute);
    }
    if request.body.data_bytes() == 0 {
        return None;
    }
    if let Some(coding) = content_coding(head) {
        return Some(Unroutable::EncodedBody(coding));
    }
    json_fault(request, head).map(|fault| Unroutable::InvalidJson(fault.to_string()))
}

/// Returns the body's content coding, unless it is `identity`.
fn content_coding(head: &[u8]) -> Option<String> {
    let mut codings = field_lines(head).filter(|field| field.has_name("content-encoding"));
    let coded = codings.find(|field| !field.value.eq_ignore_ascii_case(b"identity"))?;
    let shown = coded.value.get(..MAX_CODING_BYTES).unwrap_or(coded.value);
    Some(String::from_utf8_lossy(shown).into_owned())
}

/// Returns the first JSON error in the buffered part of a body that should be JSON.
fn json_fault(request: &Request, head: &[u8]) -> Option<serde_json::Error> {
    let kind = request.head.content_type.map(|span| span.slice(head));
    if !ModelScan::for_content_type(kind).is_json() {
        return None;
    }
    let (data, is_whole) = data_in_memory(request)?;
    let text = data.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&data);
    let fault = serde_json::from_slice::<IgnoredAny>(text).err()?;
    // An unexpected end is no error while more of the body may come.
    (is_whole || !fault.is_eof()).then_some(fault)
}

/// Returns the buffered part of the body without framing, and true if that is the whole body.
fn data_in_memory(request: &Request) -> Option<(Vec<u8>, bool)> {
    let first = request.buffer.bytes().get(request.head_len..)?;
    // Followed again: only the framed bytes are kept.
    let mut body = Body::for_request(request.head.framing);
    let mut data = Vec::new();
    for piece in iter::once(first).chain(request.buffered_body.pieces()) {
        let copy = |run: &[u8]| {
            let room = MAX_EXAMINED_BYTES - data.len();
            data.extend_from_slice(run.get(..room).unwrap_or(run));
        };
        body.follow_with(piece, copy).ok()?;
        if data.len() == MAX_EXAMINED_BYTES {
            return Some((data, false));
        }
    }
    Some((data, body.is_complete()))
}
