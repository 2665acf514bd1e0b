//! Follows a message body from its first byte to its end without changing it.

use crate::ChunkError;
use crate::chunked::{CRLF, Chunked, MessageKind};

/// The framing of a message body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// No body.
    None,
    /// A body of this many bytes.
    Length(u64),
    /// Chunked transfer coding.
    Chunked,
    /// Every byte until the connection closes; responses only.
    UntilClose,
}

/// The connection closed before the body's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection closed in the middle of the body")]
pub struct Truncated;

/// Follows a body to its end, byte for byte, changing nothing.
#[derive(Debug, Clone)]
pub struct Body {
    state: BodyState,
    data_bytes: u64,
    last_two: [u8; 2],
}

#[derive(Debug, Clone)]
enum BodyState {
    Length(u64),
    Chunked(Chunked),
    UntilClose,
}

impl Body {
    /// Starts following a response body.
    pub fn new(framing: Framing) -> Self {
        Self::with_kind(MessageKind::Response, framing)
    }

    /// Starts following a request body, whose trailer section may contain fewer fields.
    pub fn for_request(framing: Framing) -> Self {
        Self::with_kind(MessageKind::Request, framing)
    }

    fn with_kind(kind: MessageKind, framing: Framing) -> Self {
        let state = match framing {
            Framing::None => BodyState::Length(0),
            Framing::Length(length) => BodyState::Length(length),
            Framing::Chunked => BodyState::Chunked(Chunked::new(kind)),
            Framing::UntilClose => BodyState::UntilClose,
        };
        Self {
            state,
            data_bytes: 0,
            last_two: *b"\n\n",
        }
    }

    /// Returns the number of bytes at the start of `bytes`, the next on the connection, that belong
    /// to this body.
    ///
    /// # Errors
    /// The chunked framing is malformed.
    pub fn follow(&mut self, bytes: &[u8]) -> Result<usize, ChunkError> {
        self.follow_with(bytes, |_| {})
    }

    /// Like [`follow`](Self::follow), and passes each run of body data in `bytes`, without framing,
    /// to `data` in order.
    ///
    /// # Errors
    /// The chunked framing is malformed. `data` has received the data before the error.
    pub fn follow_with<'a>(
        &mut self,
        bytes: &'a [u8],
        mut data: impl FnMut(&'a [u8]),
    ) -> Result<usize, ChunkError> {
        let mut taken = 0;
        while !self.is_complete() && taken < bytes.len() {
            let rest = &bytes[taken..];
            if let BodyState::Chunked(chunks) = &self.state
                && let Some(run) = chunks.find_complete_chunk(rest)
            {
                taken += run.end + CRLF.len();
                self.record_data(&rest[run.clone()]);
                data(&rest[run]);
                continue;
            }
            let (len, is_data) = self.step(rest)?;
            if is_data {
                data(&rest[..len]);
            }
            taken += len;
        }
        Ok(taken)
    }

    /// Like [`follow`](Self::follow), and moves the body data to the front of `bytes`: an HTTP/1.0
    /// client receives a chunked body in this form. Returns the number of bytes that belong to the
    /// body and the number of data bytes.
    ///
    /// # Errors
    /// The chunked framing is malformed.
    pub fn follow_and_unframe(&mut self, bytes: &mut [u8]) -> Result<(usize, usize), ChunkError> {
        let mut kept = 0;
        let mut taken = 0;
        while !self.is_complete() && taken < bytes.len() {
            let (len, is_data) = self.step(&bytes[taken..])?;
            if is_data {
                bytes.copy_within(taken..taken + len, kept);
                kept += len;
            }
            taken += len;
        }
        Ok((taken, kept))
    }

    /// Takes one run of data or of framing at the start of `bytes`. Returns the run's length and
    /// whether it is data.
    fn step(&mut self, bytes: &[u8]) -> Result<(usize, bool), ChunkError> {
        let (taken, is_data) = match &mut self.state {
            BodyState::UntilClose => (bytes.len(), true),
            BodyState::Length(left) => {
                let len = bytes
                    .len()
                    .min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= len as u64;
                (len, true)
            }
            BodyState::Chunked(chunks) => {
                let step = chunks.step(bytes)?;
                (step.taken, step.is_data)
            }
        };
        if is_data {
            self.record_data(bytes.get(..taken).unwrap_or_default());
        }
        Ok((taken, is_data))
    }

    /// Counts a run of data and remembers the last two bytes.
    fn record_data(&mut self, run: &[u8]) {
        self.data_bytes += run.len() as u64;
        match run {
            [.., a, b] => self.last_two = [*a, *b],
            [b] => self.last_two = [self.last_two[1], *b],
            [] => {}
        }
    }

    /// Returns true once the body's last byte has passed.
    pub fn is_complete(&self) -> bool {
        match &self.state {
            BodyState::Length(left) => *left == 0,
            BodyState::Chunked(chunks) => chunks.is_done(),
            BodyState::UntilClose => false,
        }
    }

    /// Checks that the body may end here, because the connection has closed.
    ///
    /// # Errors
    /// The framing announced more bytes.
    pub fn check_end(&self) -> Result<(), Truncated> {
        match self.state {
            BodyState::UntilClose => Ok(()),
            _ if self.is_complete() => Ok(()),
            _ => Err(Truncated),
        }
    }

    /// Returns the number of data bytes so far, without framing.
    pub fn data_bytes(&self) -> u64 {
        self.data_bytes
    }

    /// Returns the bytes to send before inserting data of the proxy's own: none between two chunks
    /// and in a body that ends when the connection closes; inside a chunk, line feeds in place of
    /// the chunk's missing data, and the end of the chunk. Returns `None` where no insertion is
    /// possible, as in a body of fixed length, and if more than `max` bytes of data are missing.
    pub fn filler(&self, max: usize) -> Option<Vec<u8>> {
        match &self.state {
            BodyState::Length(_) => None,
            BodyState::Chunked(chunks) => chunks.filler(max),
            BodyState::UntilClose => Some(Vec::new()),
        }
    }

    /// Returns true if the body uses chunked transfer coding.
    pub fn is_chunked(&self) -> bool {
        matches!(self.state, BodyState::Chunked(_))
    }

    /// Returns true if the data so far ends with an empty line, as a server-sent event does.
    pub fn ends_with_blank_line(&self) -> bool {
        self.last_two == *b"\n\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow_chunked(bytes: &[u8]) -> Result<(usize, bool), ChunkError> {
        let mut body = Body::new(Framing::Chunked);
        let taken = body.follow(bytes)?;
        Ok((taken, body.is_complete()))
    }

    #[test]
    fn a_length_is_followed_and_not_overrun() {
        let mut body = Body::new(Framing::Length(5));
        assert_eq!(body.follow(b"abc"), Ok(3));
        assert!(!body.is_complete());
        assert_eq!(body.check_end(), Err(Truncated));
        assert_eq!(body.follow(b"deGET"), Ok(2));
        assert!(body.is_complete());
    }

    #[test]
    fn chunks_end_at_the_last_chunk() {
        let whole = b"4\r\nwiki\r\n5;a=\"b\"\r\npedia\r\n0\r\nX-Sum: 9\r\n\r\n";
        assert_eq!(follow_chunked(whole), Ok((whole.len(), true)));
        let followed = [&whole[..], b"GET /"].concat();
        assert_eq!(follow_chunked(&followed), Ok((whole.len(), true)));
    }

    #[test]
    fn chunks_are_followed_however_they_are_cut() {
        let whole = b"4\r\nwiki\r\n5\r\npedia\r\n0\r\n\r\n";
        for cut in 0..whole.len() {
            let mut body = Body::new(Framing::Chunked);
            assert_eq!(body.follow(&whole[..cut]), Ok(cut));
            assert!(!body.is_complete());
            assert_eq!(body.follow(&whole[cut..]), Ok(whole.len() - cut));
            assert!(body.is_complete());
            assert_eq!(body.data_bytes(), 9);
        }
    }

    #[test]
    fn the_largest_size_is_counted_whole() {
        let mut body = Body::new(Framing::Chunked);
        assert_eq!(body.follow(b"fffffffffffffff\r\nab"), Ok(19));
        assert_eq!((body.data_bytes(), body.filler(1 << 20)), (2, None));
    }

    #[test]
    fn unframing_keeps_the_data() {
        let mut bytes = *b"4\r\nwiki\r\n5\r\npedia\r\n0\r\n\r\n";
        let mut body = Body::new(Framing::Chunked);
        assert_eq!(body.follow_and_unframe(&mut bytes), Ok((bytes.len(), 9)));
        assert_eq!(&bytes[..9], b"wikipedia");
    }

    #[test]
    fn data_is_passed_in_order_without_framing() {
        let mut body = Body::new(Framing::Chunked);
        let mut runs = Vec::new();
        let bytes = b"4\r\nwiki\r\n5\r\npedia\r\n0\r\n\r\nGET /";
        let followed = body.follow_with(bytes, |run| runs.push(run.to_vec()));
        assert_eq!(followed, Ok(bytes.len() - 5));
        assert_eq!(runs, [&b"wiki"[..], b"pedia"]);
        let mut body = Body::new(Framing::Length(3));
        let followed = body.follow_with(b"abcd", |run| assert_eq!(run, b"abc"));
        assert_eq!(followed, Ok(3));
    }

    #[test]
    fn malformed_chunks_are_refused() {
        for (bytes, error) in [
            (&b"\r\n"[..], ChunkError::Size),
            (b"g\r\n", ChunkError::Size),
            (b"-1\r\n", ChunkError::Size),
            (b"0x4\r\n", ChunkError::Size),
            (b" 4\r\n", ChunkError::Size),
            (b"4 \r\n", ChunkError::Size),
            (b"4\n", ChunkError::Size),
            (b"1000000000000000\r\n", ChunkError::Size),
            (b"4\rwiki", ChunkError::LineEnd),
            (b"4\r\nwikiX\r\n", ChunkError::LineEnd),
            (b"4\r\nwiki\n", ChunkError::LineEnd),
            (b"4;a=\nb\r\n", ChunkError::Extension),
            (b"4;a\0\r\n", ChunkError::Extension),
            (b"0\r\n folded: x\r\n", ChunkError::Trailer),
            (b"0\r\nno colon\r\n", ChunkError::Trailer),
            (b"0\r\n: no name\r\n", ChunkError::Trailer),
            (b"0\r\nA : b\r\n", ChunkError::Trailer),
            (b"0\r\nContent-Length: 3\r\n\r\n", ChunkError::Trailer),
            (
                b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
                ChunkError::Trailer,
            ),
            (b"0\r\nA: b\n\r\n", ChunkError::Trailer),
            (b"0\r\n\rX", ChunkError::LineEnd),
        ] {
            assert_eq!(
                follow_chunked(bytes),
                Err(error),
                "{:?}",
                bytes.escape_ascii()
            );
        }
    }

    #[test]
    fn request_trailers_contain_neither_framing_nor_routes_nor_credentials() {
        let follows = |mut body: Body, name: &str| {
            let bytes = format!("0\r\nX-Sum: 1\r\n{name}: x\r\n\r\n");
            body.follow(bytes.as_bytes()).map(|_| body.is_complete())
        };
        let request = |name| follows(Body::for_request(Framing::Chunked), name);
        let answer = |name| follows(Body::new(Framing::Chunked), name);
        for name in ["Content-Length", "Transfer-Encoding", "Host", "Connection"] {
            assert_eq!(request(name), Err(ChunkError::Trailer), "{name}");
            assert_eq!(answer(name), Err(ChunkError::Trailer), "{name}");
        }
        for name in [
            "Authorization",
            "PROXY-AUTHORIZATION",
            "x-api-key",
            "X_Api_Key",
            "Cookie",
            "Origin",
            "X-Paddock-Model",
            "X-Request-Id",
            "X-Conversation-Id",
            "Forwarded",
            "X-Forwarded-For",
            "X-Forwarded-Host",
            "X-Forwarded-Proto",
            "TE",
            "Trailer",
            "Upgrade",
            "Keep-Alive",
            "Proxy-Connection",
            "Expect",
            "Max-Forwards",
            "Content-Type",
            "Content-Encoding",
            "Content-Range",
            "content_length",
        ] {
            assert_eq!(request(name), Err(ChunkError::Trailer), "{name}");
            assert_eq!(answer(name), Ok(true), "{name}");
        }
        for name in [
            "X-Checksum",
            "Digest",
            "ETag",
            "Authorization-Info-Of-This-Body",
            "Authorizatio",
            "Server-Timing",
        ] {
            assert_eq!(request(name), Ok(true), "{name}");
        }
    }

    #[test]
    fn extensions_and_trailers_are_bounded() {
        let extension = [b"4;".to_vec(), vec![b'a'; 20_000]].concat();
        assert_eq!(follow_chunked(&extension), Err(ChunkError::TooLarge));
        let trailers = [b"0\r\n".to_vec(), b"A: b\r\n".repeat(4000)].concat();
        assert_eq!(follow_chunked(&trailers), Err(ChunkError::TooLarge));
    }

    #[test]
    fn the_end_of_an_event_is_known_across_chunks() {
        let mut body = Body::new(Framing::Chunked);
        assert!(body.ends_with_blank_line());
        assert!(body.follow(b"6\r\ndata:\n\r\n").is_ok());
        assert!(!body.ends_with_blank_line());
        assert_eq!(body.filler(0), Some(Vec::new()));
        assert!(body.follow(b"1\r\n\n\r\n").is_ok());
        assert!(body.ends_with_blank_line());
    }

    #[test]
    fn an_interrupted_chunk_can_be_filled() {
        let whole = b"1f;a=b\r\ndata: a chunk that has 31 bytes\r\n0a\r\ndata: ten\n\r\n";
        for cut in 0..whole.len() {
            let mut body = Body::new(Framing::Chunked);
            assert_eq!(body.follow(&whole[..cut]), Ok(cut));
            let filler = body.filler(31).expect("a filler");
            assert_eq!(body.follow(&filler), Ok(filler.len()), "{cut}");
            assert_eq!(body.filler(0), Some(Vec::new()), "{cut}");
            let end = [&whole[..cut], &filler, b"1\r\nx\r\n0\r\n\r\n"].concat();
            assert_eq!(follow_chunked(&end), Ok((end.len(), true)), "{cut}");
        }
        for (bytes, max) in [(&b"20\r\nab"[..], 29), (b"0\r\n", 100), (b"0;a", 100)] {
            let mut body = Body::new(Framing::Chunked);
            assert!(body.follow(bytes).is_ok());
            assert_eq!(body.filler(max), None, "{}", bytes.escape_ascii());
        }
        assert_eq!(Body::new(Framing::UntilClose).filler(0), Some(Vec::new()));
        assert_eq!(Body::new(Framing::Length(9)).filler(100), None);
    }
}
