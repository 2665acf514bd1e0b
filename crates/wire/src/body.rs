use crate::ChunkError;
use crate::chunked::{CRLF, Chunked, Sender};

/// How a message's body is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    None,
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunked,
    /// All that comes before the connection closes; answers only.
    UntilClose,
}

/// The connection closed before the body's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection closed in the middle of the body")]
pub struct Truncated;

/// Follows a body to its end, byte for byte, changing nothing.
#[derive(Debug, Clone)]
pub struct Body {
    at: At,
    data: u64,
    tail: [u8; 2],
}

#[derive(Debug, Clone)]
enum At {
    Length(u64),
    Chunked(Chunked),
    UntilClose,
}

impl Body {
    /// The start of an answer's body.
    pub fn new(framing: Framing) -> Self {
        Self::sent_by(Sender::Upstream, framing)
    }

    /// The start of a request's body, whose trailer section may bring less.
    pub fn of_request(framing: Framing) -> Self {
        Self::sent_by(Sender::Client, framing)
    }

    fn sent_by(sender: Sender, framing: Framing) -> Self {
        let at = match framing {
            Framing::None => At::Length(0),
            Framing::Length(length) => At::Length(length),
            Framing::Chunked => At::Chunked(Chunked::new(sender)),
            Framing::UntilClose => At::UntilClose,
        };
        Self {
            at,
            data: 0,
            tail: *b"\n\n",
        }
    }

    /// How many of `bytes`, which come next on the connection, belong to this body.
    ///
    /// # Errors
    /// The chunked framing is malformed.
    pub fn follow(&mut self, bytes: &[u8]) -> Result<usize, ChunkError> {
        self.follow_with(bytes, |_| {})
    }

    /// Like [`follow`](Self::follow), and shows each run of the body's own data in `bytes` to
    /// `data`, in order and where it lies: what a reader of the body gets, framing left out.
    ///
    /// # Errors
    /// The chunked framing is malformed. The data before that has been shown.
    pub fn follow_with<'a>(
        &mut self,
        bytes: &'a [u8],
        mut data: impl FnMut(&'a [u8]),
    ) -> Result<usize, ChunkError> {
        let mut taken = 0;
        while !self.is_complete() && taken < bytes.len() {
            let rest = &bytes[taken..];
            if let At::Chunked(chunks) = &self.at
                && let Some(run) = chunks.whole(rest)
            {
                taken += run.end + CRLF.len();
                self.passes(&rest[run.clone()]);
                data(&rest[run]);
                continue;
            }
            let (here, is_data) = self.step(rest)?;
            if is_data {
                data(&rest[..here]);
            }
            taken += here;
        }
        Ok(taken)
    }

    /// Like [`follow`](Self::follow), and moves the body's own data to the front of `bytes`:
    /// what an HTTP/1.0 client gets of a chunked body. Returns how many bytes belonged to the
    /// body and how many are data.
    ///
    /// # Errors
    /// The chunked framing is malformed.
    pub fn follow_and_unframe(&mut self, bytes: &mut [u8]) -> Result<(usize, usize), ChunkError> {
        let mut kept = 0;
        let mut taken = 0;
        while !self.is_complete() && taken < bytes.len() {
            let (here, is_data) = self.step(&bytes[taken..])?;
            if is_data {
                bytes.copy_within(taken..taken + here, kept);
                kept += here;
            }
            taken += here;
        }
        Ok((taken, kept))
    }

    /// One run of data or of framing at the start of `bytes`.
    fn step(&mut self, bytes: &[u8]) -> Result<(usize, bool), ChunkError> {
        let (taken, is_data) = match &mut self.at {
            At::UntilClose => (bytes.len(), true),
            At::Length(left) => {
                let here = bytes
                    .len()
                    .min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= here as u64;
                (here, true)
            }
            At::Chunked(chunks) => {
                let step = chunks.step(bytes)?;
                (step.taken, step.is_data)
            }
        };
        if is_data {
            self.passes(bytes.get(..taken).unwrap_or_default());
        }
        Ok((taken, is_data))
    }

    /// A run of data has passed.
    fn passes(&mut self, run: &[u8]) {
        self.data += run.len() as u64;
        match run {
            [.., a, b] => self.tail = [*a, *b],
            [b] => self.tail = [self.tail[1], *b],
            [] => {}
        }
    }

    /// The body's last byte has passed.
    pub fn is_complete(&self) -> bool {
        match &self.at {
            At::Length(left) => *left == 0,
            At::Chunked(chunks) => chunks.is_done(),
            At::UntilClose => false,
        }
    }

    /// The connection has closed: is that the body's end?
    ///
    /// # Errors
    /// The body promised more.
    pub fn closed(&self) -> Result<(), Truncated> {
        match self.at {
            At::UntilClose => Ok(()),
            _ if self.is_complete() => Ok(()),
            _ => Err(Truncated),
        }
    }

    /// The body's own bytes so far, framing not counted.
    pub fn data_bytes(&self) -> u64 {
        self.data
    }

    /// Returns the bytes behind which a piece of one's own can be put in: none between two chunks and in a body that
    /// ends with its connection; in a chunk that has come in part, line feeds for the data that has not, and the
    /// chunk's end. `None` where there is no such place, as in a body of a fixed length, and where more than `max`
    /// bytes of data are missing.
    pub fn filler(&self, max: usize) -> Option<Vec<u8>> {
        match &self.at {
            At::Length(_) => None,
            At::Chunked(chunks) => chunks.filler(max),
            At::UntilClose => Some(Vec::new()),
        }
    }

    /// The body is in chunks.
    pub fn is_chunked(&self) -> bool {
        matches!(self.at, At::Chunked(_))
    }

    /// The data so far ends with an empty line, as a server-sent event does.
    pub fn ends_with_blank_line(&self) -> bool {
        self.tail == *b"\n\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunked(bytes: &[u8]) -> Result<(usize, bool), ChunkError> {
        let mut body = Body::new(Framing::Chunked);
        let taken = body.follow(bytes)?;
        Ok((taken, body.is_complete()))
    }

    #[test]
    fn a_length_is_followed_and_not_overrun() {
        let mut body = Body::new(Framing::Length(5));
        assert_eq!(body.follow(b"abc"), Ok(3));
        assert!(!body.is_complete());
        assert_eq!(body.closed(), Err(Truncated));
        assert_eq!(body.follow(b"deGET"), Ok(2));
        assert!(body.is_complete());
    }

    #[test]
    fn chunks_end_where_they_say() {
        let whole = b"4\r\nwiki\r\n5;a=\"b\"\r\npedia\r\n0\r\nX-Sum: 9\r\n\r\n";
        assert_eq!(chunked(whole), Ok((whole.len(), true)));
        let followed = [&whole[..], b"GET /"].concat();
        assert_eq!(chunked(&followed), Ok((whole.len(), true)));
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
    fn unframing_leaves_the_data() {
        let mut bytes = *b"4\r\nwiki\r\n5\r\npedia\r\n0\r\n\r\n";
        let mut body = Body::new(Framing::Chunked);
        assert_eq!(body.follow_and_unframe(&mut bytes), Ok((bytes.len(), 9)));
        assert_eq!(&bytes[..9], b"wikipedia");
    }

    #[test]
    fn the_data_is_shown_where_it_lies() {
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
            assert_eq!(chunked(bytes), Err(error), "{:?}", bytes.escape_ascii());
        }
    }

    #[test]
    fn a_requests_trailers_bring_neither_framing_nor_routes_nor_credentials() {
        let follows = |mut body: Body, name: &str| {
            let bytes = format!("0\r\nX-Sum: 1\r\n{name}: x\r\n\r\n");
            body.follow(bytes.as_bytes()).map(|_| body.is_complete())
        };
        let request = |name| follows(Body::of_request(Framing::Chunked), name);
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
        assert_eq!(chunked(&extension), Err(ChunkError::TooLarge));
        let trailers = [b"0\r\n".to_vec(), b"A: b\r\n".repeat(4000)].concat();
        assert_eq!(chunked(&trailers), Err(ChunkError::TooLarge));
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
    fn a_chunk_that_breaks_off_can_be_filled_up() {
        let whole = b"1f;a=b\r\ndata: a chunk that has 31 bytes\r\n0a\r\ndata: ten\n\r\n";
        for cut in 0..whole.len() {
            let mut body = Body::new(Framing::Chunked);
            assert_eq!(body.follow(&whole[..cut]), Ok(cut));
            let filler = body.filler(31).expect("there is room");
            assert_eq!(body.follow(&filler), Ok(filler.len()), "{cut}");
            assert_eq!(body.filler(0), Some(Vec::new()), "{cut}");
            let end = [&whole[..cut], &filler, b"1\r\nx\r\n0\r\n\r\n"].concat();
            assert_eq!(chunked(&end), Ok((end.len(), true)), "{cut}");
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
