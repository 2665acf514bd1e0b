//! Finds the end of a request or response head while the head arrives.

use crate::InvalidRequest;
use memchr::memmem::Finder;
use std::sync::LazyLock;

/// Limit on a head in bytes, for requests and responses.
pub const MAX_HEAD: usize = 64 * 1024;

/// The end of a head's last line and the empty line, without the first CR: every other line contains `\r\n`
/// too, at which a search for both line ends would stop. [`check_line_ends`] requires the CR.
const HEAD_END: &[u8] = b"\n\r\n";

static HEAD_END_FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(HEAD_END));

/// Finds the end of a head while the head arrives.
///
/// Each byte is examined once, so a head that trickles in costs no more than a head that arrives
/// whole. Every line must end in CRLF, because parsers disagree about a bare CR or LF.
#[derive(Debug, Default, Clone)]
pub struct HeadScan {
    /// Number of bytes already examined.
    seen: usize,
}

impl HeadScan {
    /// Returns the length of the head in `bytes`, including the final empty line, or `None` while
    /// more bytes are needed. `bytes` starts with the head's first byte and only grows between
    /// calls.
    ///
    /// # Errors
    /// A bare CR or LF, a first byte that cannot start a message, or [`MAX_HEAD`] bytes without an
    /// end.
    pub fn find_end(&mut self, bytes: &[u8]) -> Result<Option<usize>, InvalidRequest> {
        // The first byte already reveals input that is not HTTP, such as a TLS greeting.
        if bytes.first().is_some_and(|first| !first.is_ascii_graphic()) {
            return Err(InvalidRequest::RequestLine);
        }
        // The examined bytes contain no end, but may contain all of it except the last byte.
        let from = self.seen.saturating_sub(HEAD_END.len() - 1);
        let found = HEAD_END_FINDER.find(bytes.get(from..).unwrap_or_default());
        let end = found.map(|found| from + found + HEAD_END.len());
        let head = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
        check_line_ends(head.get(self.seen.saturating_sub(1)..).unwrap_or_default())?;
        self.seen = head.len();
        match end {
            Some(end) if end <= MAX_HEAD => Ok(Some(end)),
            None if bytes.len() < MAX_HEAD => Ok(None),
            _ => Err(InvalidRequest::HeadTooLarge),
        }
    }
}

/// Refuses a CR that no LF follows, unless it is the last byte, and an LF that no CR precedes,
/// unless it is the first byte.
fn check_line_ends(bytes: &[u8]) -> Result<(), InvalidRequest> {
    let behind = bytes.get(1..).unwrap_or_default();
    let is_bare = |byte: u8, next: u8| (byte == b'\r') != (next == b'\n');
    // A fold without early exit lets the compiler use vector instructions.
    let pairs = || bytes.iter().zip(behind).map(|(byte, next)| (*byte, *next));
    if !pairs().fold(false, |any, (byte, next)| any | is_bare(byte, next)) {
        return Ok(());
    }
    match pairs().find(|(byte, next)| is_bare(*byte, *next)) {
        Some((b'\r', _)) => Err(InvalidRequest::BareCr),
        _ => Err(InvalidRequest::BareLf),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_found_however_the_head_is_cut() {
        let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nrest";
        for cut in 1..head.len() - 4 {
            let mut scan = HeadScan::default();
            let first = scan.find_end(&head[..cut]);
            if cut < head.len() - 4 {
                assert_eq!(first, Ok(None), "cut at {cut}");
            }
            assert_eq!(scan.find_end(head), Ok(Some(head.len() - 4)));
        }
    }

    #[test]
    fn bare_line_ends_are_refused() {
        let find = |bytes: &[u8]| HeadScan::default().find_end(bytes);
        assert_eq!(
            find(b"GET / HTTP/1.1\nHost: a"),
            Err(InvalidRequest::BareLf)
        );
        assert_eq!(
            find(b"GET / HTTP/1.1\rHost: a"),
            Err(InvalidRequest::BareCr)
        );
        assert_eq!(
            find(b"GET / HTTP/1.1\r\nA: b\r\n\n"),
            Err(InvalidRequest::BareLf)
        );
        assert_eq!(find(b"GET / HTTP/1.1\r"), Ok(None));
    }

    #[test]
    fn a_head_without_end_is_refused_at_the_limit() {
        let long = vec![b'a'; MAX_HEAD];
        assert_eq!(
            HeadScan::default().find_end(&long[..MAX_HEAD - 1]),
            Ok(None)
        );
        assert_eq!(
            HeadScan::default().find_end(&long),
            Err(InvalidRequest::HeadTooLarge)
        );
    }

    #[test]
    fn input_other_than_http_is_refused_at_its_first_byte() {
        assert_eq!(
            HeadScan::default().find_end(&[0x16, 3, 1]),
            Err(InvalidRequest::RequestLine)
        );
    }
}
