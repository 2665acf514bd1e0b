//! Feeds a body to the usage parser in pieces of several sizes.

use paddock_wire::{ResponseHead, UsageParser, UsageReport, Version};

/// Creates a parser for a response of this Content-Type.
pub(crate) fn parser(kind: &str) -> UsageParser {
    parser_of(&format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n\r\n"))
}

pub(crate) fn parser_of(head: &str) -> UsageParser {
    UsageParser::for_response(
        &ResponseHead::parse(head.as_bytes(), false, Version::Http11).unwrap(),
    )
}

pub(crate) const JSON: &str = "application/json; charset=utf-8";
pub(crate) const EVENTS: &str = "text/event-stream";

/// Returns the report for a body fed in pieces whose sizes cycle through `sizes`.
pub(crate) fn report(kind: &str, body: &[u8], sizes: &[usize]) -> UsageReport {
    let mut parser = parser(kind);
    let mut rest = body;
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at((*size).clamp(1, rest.len()));
        parser.feed(piece);
        rest = after;
    }
    assert_eq!(parser.bytes(), body.len() as u64);
    parser.report()
}

/// Returns the report, after checking that it does not depend on the pieces.
pub(crate) fn check(kind: &str, body: &[u8]) -> UsageReport {
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
