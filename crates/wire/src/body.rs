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
    /// Bytes of data so far, without framing.
    data_bytes: u64,
    /// The last two bytes of data; two line feeds before the first byte. An event stream that ends
    /// with two line feeds has no unfinished event.
    last_two: [u8; 2],
}

/// The progress within a body.
#[derive(Debug, Clone)]
enum BodyState {
    /// This many bytes remain.
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
mod tests;
