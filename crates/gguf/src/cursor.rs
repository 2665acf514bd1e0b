//! Reading numbers and texts from untrusted bytes, within limits.

use std::io::{self, BufReader, Read};

use crate::error::Error;
use crate::limits;

/// A reader that knows where it is and allocates no more than what it has really read.
#[derive(Debug)]
pub(crate) struct Cursor<R> {
    input: BufReader<R>,
    position: u64,
}

impl<R: Read> Cursor<R> {
    pub(crate) fn new(input: R) -> Self {
        Self {
            input: BufReader::new(input),
            position: 0,
        }
    }

    /// Returns how many bytes have been read.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Reads up to as many bytes as the input still has.
    pub(crate) fn up_to(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.input.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.position += filled as u64;
        Ok(filled)
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        self.reserve(N as u64)?;
        let mut buffer = [0; N];
        if self.up_to(&mut buffer)? < N {
            return Err(Error::HeaderTruncated(self.position));
        }
        Ok(buffer)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Error> {
        self.bytes().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Error> {
        self.bytes().map(u64::from_le_bytes)
    }

    /// Reads a count and refuses one above the limit.
    pub(crate) fn count(&mut self, what: &'static str, limit: u64) -> Result<u64, Error> {
        let value = self.u64()?;
        if value > limit {
            return Err(Error::TooMuch { what, value, limit });
        }
        Ok(value)
    }

    /// Reads a text of `len` bytes. The buffer grows with what arrives, not with what is claimed.
    pub(crate) fn text(&mut self, len: u64) -> Result<String, Error> {
        self.reserve(len)?;
        let mut bytes = Vec::new();
        let read = (&mut self.input).take(len).read_to_end(&mut bytes)? as u64;
        self.position += read;
        if read < len {
            return Err(Error::HeaderTruncated(self.position));
        }
        Ok(match String::from_utf8_lossy(&bytes) {
            std::borrow::Cow::Borrowed(text) => text.to_owned(),
            std::borrow::Cow::Owned(text) => text,
        })
    }

    /// Reads past `len` bytes.
    pub(crate) fn skip(&mut self, len: u64) -> Result<(), Error> {
        self.reserve(len)?;
        let skipped = io::copy(&mut (&mut self.input).take(len), &mut io::sink())?;
        self.position += skipped;
        if skipped < len {
            return Err(Error::HeaderTruncated(self.position));
        }
        Ok(())
    }

    /// Refuses what would make the header longer than any header is.
    fn reserve(&self, len: u64) -> Result<(), Error> {
        let value = self.position.saturating_add(len);
        if value > limits::HEADER {
            let (what, limit) = ("a header length", limits::HEADER);
            return Err(Error::TooMuch { what, value, limit });
        }
        Ok(())
    }
}
