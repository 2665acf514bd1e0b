use crate::Refusal;
use memchr::memmem::Finder;
use std::sync::LazyLock;

/// The longest head accepted, request or response, in bytes.
pub const MAX_HEAD: usize = 64 * 1024;

/// The end of a head's last line, and its empty line.
const END: &[u8] = b"\r\n\r\n";

static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(END));

/// Finds the end of a head while it arrives.
///
/// Each byte is looked at once, so a head that trickles in costs no more than one that comes
/// whole. Every line must end in CRLF: a bare CR or LF is where two parsers part ways.
#[derive(Debug, Default, Clone)]
pub struct HeadScan {
    /// Bytes already looked at.
    seen: usize,
}

impl HeadScan {
    /// The length of the head in `bytes`, its final empty line included, or `None` while more
    /// is needed. `bytes` starts with the head's first byte and only grows between calls.
    ///
    /// # Errors
    /// A bare CR or LF, a first byte that starts nothing, or more than [`MAX_HEAD`] bytes without an end.
    pub fn find_end(&mut self, bytes: &[u8]) -> Result<Option<usize>, Refusal> {
        // Whatever is not HTTP at all, a TLS greeting for one, is told at its first byte.
        if bytes.first().is_some_and(|first| !first.is_ascii_graphic()) {
            return Err(Refusal::RequestLine);
        }
        // What has been looked at holds no end, but may hold all of it but its last byte.
        let from = self.seen.saturating_sub(END.len() - 1);
        let found = FINDER.find(bytes.get(from..).unwrap_or_default());
        let end = found.map(|found| from + found + END.len());
        let head = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
        check_line_ends(head.get(self.seen.saturating_sub(1)..).unwrap_or_default())?;
        self.seen = head.len();
        match end {
            Some(end) if end <= MAX_HEAD => Ok(Some(end)),
            None if bytes.len() < MAX_HEAD => Ok(None),
            _ => Err(Refusal::HeadTooLarge),
        }
    }
}

/// Refuses a CR without LF behind it, unless it is the last byte, and a LF without CR before it, unless
/// it is the first.
fn check_line_ends(bytes: &[u8]) -> Result<(), Refusal> {
    let behind = bytes.get(1..).unwrap_or_default();
    let is_bare = |byte: u8, next: u8| (byte == b'\r') != (next == b'\n');
    // Without an end on the way, a compiler makes vector instructions of it.
    let pairs = || bytes.iter().zip(behind).map(|(byte, next)| (*byte, *next));
    if !pairs().fold(false, |any, (byte, next)| any | is_bare(byte, next)) {
        return Ok(());
    }
    match pairs().find(|(byte, next)| is_bare(*byte, *next)) {
        Some((b'\r', _)) => Err(Refusal::BareCr),
        _ => Err(Refusal::BareLf),
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
        assert_eq!(find(b"GET / HTTP/1.1\nHost: a"), Err(Refusal::BareLf));
        assert_eq!(find(b"GET / HTTP/1.1\rHost: a"), Err(Refusal::BareCr));
        assert_eq!(find(b"GET / HTTP/1.1\r\nA: b\r\n\n"), Err(Refusal::BareLf));
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
            Err(Refusal::HeadTooLarge)
        );
    }

    #[test]
    fn what_is_not_http_is_told_at_once() {
        assert_eq!(
            HeadScan::default().find_end(&[0x16, 3, 1]),
            Err(Refusal::RequestLine)
        );
    }
}
