//! A body fed to the tap in pieces of several sizes.

use paddock_wire::{Report, ResponseHead, Tap, Version};

/// A tap for an answer of this Content-Type.
pub(crate) fn tap(kind: &str) -> Tap {
    tap_of(&format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n\r\n"))
}

pub(crate) fn tap_of(head: &str) -> Tap {
    Tap::of(&ResponseHead::parse(head.as_bytes(), false, Version::Http11).unwrap())
}

pub(crate) const JSON: &str = "application/json; charset=utf-8";
pub(crate) const EVENTS: &str = "text/event-stream";

/// What the tap says of a body fed in pieces of these sizes, over and over.
pub(crate) fn report(kind: &str, body: &[u8], sizes: &[usize]) -> Report {
    let mut tap = tap(kind);
    let mut rest = body;
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at((*size).clamp(1, rest.len()));
        tap.feed(piece);
        rest = after;
    }
    assert_eq!(tap.bytes(), body.len() as u64);
    tap.report()
}

/// The same, once it is known not to depend on the pieces.
pub(crate) fn check(kind: &str, body: &[u8]) -> Report {
    let whole = report(kind, body, &[usize::MAX]);
    for sizes in [&[1][..], &[2], &[3, 1], &[7], &[64, 5], &[200, 1, 90]] {
        assert_eq!(
            report(kind, body, sizes),
            whole,
            "in pieces of {sizes:?}: {}",
            body.escape_ascii()
        );
    }
    whole
}
