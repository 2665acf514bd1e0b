//! Requests that web pages send: which are let in, and what lets the page read the answer.
//!
//! The rules are in `browser_policy.rs`. A page reads an answer only if `Access-Control-Allow-Origin` has its
//! origin (Fetch §4.10). Each of paddock's own answers carries the field for a page that may ask; a child sends
//! it by itself, and its field passes as it is. No answer to a request without `Origin` is touched.

use super::client::Client;
use super::request::Request;
use super::worker::Worker;
use paddock_admission::browser_policy::PageFacts;
use paddock_admission::error::ProxyError;
use paddock_wire::{Framing, field_lines};

const ALLOW_ORIGIN: &[u8] = b"Access-Control-Allow-Origin: ";

/// Refuses a request of a page that may not ask, and keeps the fields with which a page that may can read the
/// answer.
pub(super) fn admit(
    worker: &Worker,
    client: &mut Client,
    request: &Request,
) -> Result<(), ProxyError> {
    client.cors_lines.clear();
    // The admin plane has let in whoever asks from inside.
    if client.inside {
        return Ok(());
    }
    let head = request.buffer.bytes().get(..request.head_len);
    let head = head.unwrap_or_default();
    let origin = request.head.origin.map(|span| span.slice(head));
    let reads = request.to_head || request.head.method.slice(head) == b"GET";
    // Clients that are no browsers end here, unless they read.
    if origin.is_none() && !reads {
        return Ok(());
    }
    let fetch_site = request.head.fetch_site.map(|span| span.slice(head));
    let facts = PageFacts {
        origin,
        host: request.head.host.slice(head),
        reads,
        embeds: fetch_site == Some(b"cross-site") && !is_navigation(head),
    };
    let catalog = worker.catalog();
    let is_loopback = || client.stream.is_over_loopback();
    catalog.browsers().check(&facts, is_loopback)?;
    if let Some(origin) = origin {
        push_lines(&mut client.cors_lines, origin);
    }
    Ok(())
}

/// Returns the fields to add to a child's answer: none if it says itself which pages may read it, or would
/// not let this one.
pub(super) fn lines_for<'a>(worker: &Worker, client: &'a Client, is_said: bool) -> &'a [u8] {
    if is_said || client.cors_lines.is_empty() {
        return b"";
    }
    let origin = &client.cors_lines[ALLOW_ORIGIN.len()..];
    let end = origin.iter().position(|byte| *byte == b'\r');
    let origin = &origin[..end.unwrap_or(origin.len())];
    let catalog = worker.catalog();
    let engine = catalog.browsers().engine(client.card.model());
    match engine.allow_origin(origin) {
        Some(_) => &client.cors_lines,
        None => b"",
    }
}

/// Keeps the same fields for the answer to a head that is refused for its form, if it states one origin, and
/// that is allowed by the configuration alone.
pub(super) fn admit_malformed(worker: &Worker, client: &mut Client) {
    client.cors_lines.clear();
    let Some(bytes) = client.ahead.as_ref().map(super::buffer::Buffer::bytes) else {
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
        reads: false,
        embeds: false,
    };
    if worker.catalog().browsers().check(&facts, || false).is_ok() {
        push_lines(&mut client.cors_lines, field.value);
    }
}

/// Returns whether a browser asks by itself if a page may send its request (Fetch §4.8, CORS-preflight fetch).
pub(super) fn is_preflight(request: &Request) -> bool {
    let head = request.buffer.bytes().get(..request.head_len);
    let head = head.unwrap_or_default();
    request.head.origin.is_some()
        && request.head.method.slice(head) == b"OPTIONS"
        && matches!(request.head.framing, Framing::None | Framing::Length(0))
        && field_lines(head).any(|field| field.has_name("access-control-request-method"))
}

/// Adds the fields for this origin. Browsers write origins in visible ASCII; anything else is not repeated.
fn push_lines(lines: &mut Vec<u8>, origin: &[u8]) {
    if origin.is_empty() || !origin.iter().all(u8::is_ascii_graphic) {
        return;
    }
    lines.extend_from_slice(ALLOW_ORIGIN);
    lines.extend_from_slice(origin);
    lines.extend_from_slice(b"\r\nVary: Origin\r\n");
}

/// Returns whether the answer becomes a page of its own, as behind a link, which no other page can read.
fn is_navigation(head: &[u8]) -> bool {
    let has = |name: &str, value: &[u8]| {
        field_lines(head).any(|field| field.has_name(name) && field.value == value)
    };
    has("sec-fetch-mode", b"navigate") && has("sec-fetch-dest", b"document")
}
