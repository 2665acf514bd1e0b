//! Names requests: every request has an `x-request-id`, the client's or a generated one.

use paddock_wire::{RequestHead, field_lines};
use std::cell::Cell;

/// Start of the field line.
const FIELD_PREFIX: &[u8] = b"x-request-id: ";

/// Longest id echoed in the response to a refused head, in bytes: as long as lists of requests show.
const MAX_REPEATED_ID_BYTES: usize = paddock_telemetry::MAX_REQUEST_ID_BYTES;

/// Generates ids: eight hexadecimal digits drawn at random for the worker thread, a dash, and a count.
#[derive(Debug)]
pub(super) struct RequestIds {
    worker: u32,
    count: Cell<u32>,
}

impl RequestIds {
    pub(super) fn new() -> Self {
        Self {
            worker: fastrand::u32(..),
            count: Cell::new(0),
        }
    }

    /// Writes the request's whole `x-request-id` line into `line`: the client's id, or a new one.
    pub(super) fn write_line(&self, head: &RequestHead, bytes: &[u8], line: &mut Vec<u8>) {
        line.clear();
        line.extend_from_slice(FIELD_PREFIX);
        if let Some(named) = head.request_id {
            line.extend_from_slice(named.slice(bytes));
        } else {
            self.write_new(line);
        }
        line.extend_from_slice(b"\r\n");
    }

    /// Writes the line for a refused head: the client's id, if `head` has one that is safe to echo, or a new
    /// one.
    pub(super) fn write_line_for_refused(&self, head: &[u8], line: &mut Vec<u8>) {
        line.clear();
        line.extend_from_slice(FIELD_PREFIX);
        match repeatable_id_in(head) {
            Some(name) => line.extend_from_slice(name),
            None => self.write_new(line),
        }
        line.extend_from_slice(b"\r\n");
    }

    fn write_new(&self, line: &mut Vec<u8>) {
        let count = self.count.get().wrapping_add(1);
        self.count.set(count);
        push_hex(line, self.worker);
        line.push(b'-');
        push_hex(line, count);
    }
}

/// Returns the id in a head, the last if there are several, as
/// [`RequestHead::parse`](paddock_wire::RequestHead::parse) does. Such a head is malformed or incomplete: only
/// a short id of visible ASCII characters, on a whole line, is echoed.
fn repeatable_id_in(head: &[u8]) -> Option<&[u8]> {
    let whole = |field: &paddock_wire::FieldLine<'_>| field.line.slice(head).ends_with(b"\n");
    let named = field_lines(head).filter(|field| field.has_name("x-request-id") && whole(field));
    let name = named.last()?.value;
    let is_safe = name.iter().all(u8::is_ascii_graphic);
    (is_safe && (1..=MAX_REPEATED_ID_BYTES).contains(&name.len())).then_some(name)
}

fn push_hex(line: &mut Vec<u8>, number: u32) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    line.extend(
        (0..8)
            .rev()
            .map(|place| DIGITS[(number >> (4 * place) & 15) as usize]),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_keeps_the_name_it_gave() {
        let bytes = b"GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: mine\r\n\r\n";
        let head = RequestHead::parse(bytes).unwrap();
        let mut line = Vec::new();
        RequestIds::new().write_line(&head, bytes, &mut line);
        assert_eq!(line, b"x-request-id: mine\r\n");
    }

    #[test]
    fn a_refused_head_keeps_its_name_if_it_is_safe_to_repeat() {
        let ids = RequestIds::new();
        let line = |fields: &str| {
            let mut line = Vec::new();
            let head = format!("GET / HTTP/1.1\r\n{fields}");
            ids.write_line_for_refused(head.as_bytes(), &mut line);
            String::from_utf8(line).unwrap()
        };
        let long = "x".repeat(MAX_REPEATED_ID_BYTES);
        for (fields, name) in [
            ("Host: a\r\nX-Request-ID: mine\r\nHost: b\r\n\r\n", "mine"),
            ("x-request-id:  a/b:c=1  \r\nbroken", "a/b:c=1"),
            ("x-request-id: a\r\nx-request-id: b\r\n", "b"),
            ("x-request-id: bare\nX: y\r\n", "bare"),
            (&format!("x-request-id: {long}\r\n"), &long),
        ] {
            assert_eq!(
                line(fields),
                format!("x-request-id: {name}\r\n"),
                "{fields:?}"
            );
        }
        for fields in [
            "",
            "x-request-id: cut-sh",
            "x-request-id:\r\n",
            "x-request-id: a b\r\n",
            "x-request-id: a\rSet-Cookie: b\r\n",
            "x-request-id: a\0b\r\n",
            "x-request-id: \u{e9}\r\n",
            "x-request-id : a\r\n",
            &format!("x-request-id: {long}x\r\n"),
        ] {
            let new = line(fields);
            assert_eq!(new.len(), FIELD_PREFIX.len() + 17 + 2, "{fields:?}: {new}");
        }
    }

    #[test]
    fn new_names_differ() {
        let ids = RequestIds::new();
        let (mut one, mut two) = (Vec::new(), Vec::new());
        ids.write_line_for_refused(b"", &mut one);
        ids.write_line_for_refused(b"", &mut two);
        assert_ne!(one, two);
        assert_eq!(one.len(), FIELD_PREFIX.len() + 17 + 2);
    }
}
