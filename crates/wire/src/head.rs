use crate::Refusal;
use memchr::memchr2;

/// The longest head accepted, request or response, in bytes.
pub const MAX_HEAD: usize = 64 * 1024;

/// Finds the end of a head while it arrives.
///
/// Each byte is looked at once, so a head that trickles in costs no more than one that comes
/// whole. Every line must end in CRLF: a bare CR or LF is where two parsers part ways.
#[derive(Debug, Default, Clone)]
pub struct HeadScan {
    /// Bytes already looked at.
    seen: usize,
    /// Where the current line starts.
    line: usize,
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
        while let Some(found) = memchr2(b'\r', b'\n', bytes.get(self.seen..).unwrap_or_default()) {
            let at = self.seen + found;
            if bytes[at] == b'\n' {
                return Err(Refusal::BareLf);
            }
            match bytes.get(at + 1) {
                None => {
                    self.seen = at;
                    return Self::wait(bytes);
                }
                Some(b'\n') => {}
                Some(_) => return Err(Refusal::BareCr),
            }
            let end = at + 2;
            if at == self.line {
                return if end > MAX_HEAD {
                    Err(Refusal::HeadTooLarge)
                } else {
                    Ok(Some(end))
                };
            }
            self.seen = end;
            self.line = end;
        }
        self.seen = bytes.len();
        Self::wait(bytes)
    }

    fn wait(bytes: &[u8]) -> Result<Option<usize>, Refusal> {
        if bytes.len() >= MAX_HEAD {
            Err(Refusal::HeadTooLarge)
        } else {
            Ok(None)
        }
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
