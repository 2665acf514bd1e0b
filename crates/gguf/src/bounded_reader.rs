//! Reads numbers and strings from untrusted bytes, within limits.

use std::io::{self, BufReader, Read};

use crate::error::Error;
use crate::limits;

/// A reader that tracks its position and allocates only for bytes it has actually read.
#[derive(Debug)]
pub(crate) struct BoundedReader<R> {
    input: BufReader<R>,
    position: u64,
}

impl<R: Read> BoundedReader<R> {
    pub(crate) fn new(input: R) -> Self {
        Self {
            input: BufReader::new(input),
            position: 0,
        }
    }

    /// Returns the number of bytes read so far.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Fills `buffer` as far as the input allows. Returns the number of bytes read.
    pub(crate) fn read_up_to(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
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

    pub(crate) fn read_bytes<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        self.check_header_len(N as u64)?;
        let mut buffer = [0; N];
        if self.read_up_to(&mut buffer)? < N {
            return Err(Error::HeaderTruncated(self.position));
        }
        Ok(buffer)
    }

    pub(crate) fn read_u32(&mut self) -> Result<u32, Error> {
        self.read_bytes().map(u32::from_le_bytes)
    }

    pub(crate) fn read_u64(&mut self) -> Result<u64, Error> {
        self.read_bytes().map(u64::from_le_bytes)
    }

    /// Reads a count and refuses a count above the limit.
    pub(crate) fn read_count(&mut self, what: &'static str, limit: u64) -> Result<u64, Error> {
        let value = self.read_u64()?;
        if value > limit {
            return Err(Error::TooMuch { what, value, limit });
        }
        Ok(value)
    }

    /// Reads a string of `len` bytes. The buffer grows with the bytes that arrive, not with `len`.
    pub(crate) fn read_text(&mut self, len: u64) -> Result<String, Error> {
        self.check_header_len(len)?;
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

    /// Skips `len` bytes.
    pub(crate) fn skip(&mut self, len: u64) -> Result<(), Error> {
        self.check_header_len(len)?;
        let skipped = io::copy(&mut (&mut self.input).take(len), &mut io::sink())?;
        self.position += skipped;
        if skipped < len {
            return Err(Error::HeaderTruncated(self.position));
        }
        Ok(())
    }

    /// Refuses `len` more bytes if the header would exceed [`limits::MAX_HEADER_BYTES`].
    fn check_header_len(&self, len: u64) -> Result<(), Error> {
        let value = self.position.saturating_add(len);
        if value > limits::MAX_HEADER_BYTES {
            let (what, limit) = ("a header length", limits::MAX_HEADER_BYTES);
            return Err(Error::TooMuch { what, value, limit });
        }
        Ok(())
    }
}
