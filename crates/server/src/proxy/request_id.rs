use paddock_wire::RequestHead;
use std::cell::Cell;

/// The start of the field line.
const NAME: &[u8] = b"x-request-id: ";

/// Names requests that come without a name: eight random digits of the worker, and a count.
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

    /// Writes the whole field line of the request's name into `line`: the client's own name, or
    /// a new one.
    pub(super) fn write_line(&self, head: &RequestHead, bytes: &[u8], line: &mut Vec<u8>) {
        line.clear();
        line.extend_from_slice(NAME);
        if let Some(named) = head.request_id {
            line.extend_from_slice(named.of(bytes));
        } else {
            self.write_new(line);
        }
        line.extend_from_slice(b"\r\n");
    }

    /// Writes the field line of a request whose head could not be read.
    pub(super) fn write_new_line(&self, line: &mut Vec<u8>) {
        line.clear();
        line.extend_from_slice(NAME);
        self.write_new(line);
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
    fn new_names_differ() {
        let ids = RequestIds::new();
        let (mut one, mut two) = (Vec::new(), Vec::new());
        ids.write_new_line(&mut one);
        ids.write_new_line(&mut two);
        assert_ne!(one, two);
        assert_eq!(one.len(), NAME.len() + 17 + 2);
    }
}
