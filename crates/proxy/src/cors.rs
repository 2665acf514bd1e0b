//! Decides which web pages may send requests, and adds the fields with which a page can read the response.
//!
//! The rules are in [`paddock_admission::browser_policy`]. A page can read a response only if
//! `Access-Control-Allow-Origin` has its origin (Fetch §4.10). paddock adds the field to its own responses for pages
//! that are allowed. A child (a model's llama-server) sends the field itself, and the field passes unaltered.
//! Responses to requests without `Origin` are not touched.

use super::client::Client;
use super::exchange::Exchange;
use super::request::Request;
use super::worker::Worker;
use paddock_admission::browser_policy::PageFacts;
use paddock_admission::error::ProxyError;
use paddock_wire::{Framing, field_lines};

const ALLOW_ORIGIN_PREFIX: &[u8] = b"Access-Control-Allow-Origin: ";

/// Refuses a request of a page that is not allowed. For an allowed page, stores the response's CORS fields.
pub(super) fn check_origin(exchange: &mut Exchange<'_>) -> Result<(), ProxyError> {
    let Exchange {
        worker,
        client,
        request,
        ..
    } = exchange;
    client.cors_lines.clear();
    // The connection comes from the operator's HTTP address, which has checked the origin already.
    if client.is_in_process {
        return Ok(());
    }
    let head = request.buffer.bytes().get(..request.head_len);
    let head = head.unwrap_or_default();
    let origin = request.head.origin.map(|span| span.slice(head));
    let reads = request.is_head || request.head.method.slice(head) == b"GET";
    // Browsers omit `Origin` only for GET and HEAD, for example for an image in a page.
    if origin.is_none() && !reads {
        return Ok(());
    }
    let fetch_site = request.head.fetch_site.map(|span| span.slice(head));
    let facts = PageFacts {
        origin,
        host: request.head.host.slice(head),
        is_read: reads,
        is_embed: fetch_site == Some(b"cross-site") && !is_navigation(head),
    };
    let catalog = worker.catalog();
    let is_loopback = || client.stream.is_over_loopback();
    catalog.browser_policy().check(&facts, is_loopback)?;
    if let Some(origin) = origin {
        push_lines(&mut client.cors_lines, origin);
    }
    Ok(())
}

/// Returns the fields to add to a child's response: none if the child sent its own, or if its flags do not
/// allow the page.
pub(super) fn response_lines<'a>(
    worker: &Worker,
    client: &'a Client,
    has_own_field: bool,
) -> &'a [u8] {
    if has_own_field || client.cors_lines.is_empty() {
        return b"";
    }
    let origin = &client.cors_lines[ALLOW_ORIGIN_PREFIX.len()..];
    let end = origin.iter().position(|byte| *byte == b'\r');
    let origin = &origin[..end.unwrap_or(origin.len())];
    let catalog = worker.catalog();
    let engine = catalog.browser_policy().engine_cors(client.status.model());
    match engine.allow_origin(origin) {
        Some(_) => &client.cors_lines,
        None => b"",
    }
}

/// Stores the CORS fields for the response to a malformed head, if the head has exactly one origin and the
/// configuration alone allows it.
pub(super) fn allow_for_malformed(worker: &Worker, client: &mut Client) {
    client.cors_lines.clear();
    let Some(bytes) = client.read_ahead.as_ref().map(super::buffer::Buffer::bytes) else {
        return;
    };
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    let head = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
    let mut origins = field_lines(head).filter(|field| field.has_name("origin"));
    let (Some(field), None) = (origins.next(), origins.next()) else {
        return;
    };
    let facts = PageFacts {
        origin: Some(field.value),
        host: b"",
        is_read: false,
        is_embed: false,
    };
    if worker
        .catalog()
        .browser_policy()
        .check(&facts, || false)
        .is_ok()
    {
        push_lines(&mut client.cors_lines, field.value);
    }
}

/// Returns true for a CORS preflight (Fetch §4.8, CORS-preflight fetch).
pub(super) fn is_preflight(request: &Request) -> bool {
    let head = request.buffer.bytes().get(..request.head_len);
    let head = head.unwrap_or_default();
    request.head.origin.is_some()
        && request.head.method.slice(head) == b"OPTIONS"
        && matches!(request.head.framing, Framing::None | Framing::Length(0))
        && field_lines(head).any(|field| field.has_name("access-control-request-method"))
}

/// Appends the fields for `origin`. Browsers write origins in visible ASCII; other values are not echoed.
fn push_lines(lines: &mut Vec<u8>, origin: &[u8]) {
    if origin.is_empty() || !origin.iter().all(u8::is_ascii_graphic) {
        return;
    }
    lines.extend_from_slice(ALLOW_ORIGIN_PREFIX);
    lines.extend_from_slice(origin);
    lines.extend_from_slice(b"\r\nVary: Origin\r\n");
}

/// Returns true if the response becomes a document of its own, as after a click on a link: no other page can
/// read it.
fn is_navigation(head: &[u8]) -> bool {
    let has = |name: &str, value: &[u8]| {
        field_lines(head).any(|field| field.has_name(name) && field.value == value)
    };
    has("sec-fetch-mode", b"navigate") && has("sec-fetch-dest", b"document")
}
