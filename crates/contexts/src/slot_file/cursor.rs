//! Reads numbers from an untrusted file of known length.

use std::io::{BufReader, Read, Seek, SeekFrom};

use super::error::SlotFileError;

/// Size of the read buffer. Small, because most of a file is cell data, which is skipped.
const BUFFER_SIZE: usize = 16 << 10;

/// A reader of a slot file. No read or skip passes the end of the file.
#[derive(Debug)]
pub(super) struct Cursor<R> {
    input: BufReader<R>,
    position: u64,
    len: u64,
}

impl<R: Read + Seek> Cursor<R> {
    pub(super) fn new(mut input: R) -> Result<Self, SlotFileError> {
        let len = input.seek(SeekFrom::End(0))?;
        input.seek(SeekFrom::Start(0))?;
        Ok(Self {
            input: BufReader::with_capacity(BUFFER_SIZE, input),
            position: 0,
            len,
        })
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.position == self.len
    }

    pub(super) fn read_u32(&mut self) -> Result<u32, SlotFileError> {
        self.read_bytes().map(u32::from_le_bytes)
    }

    pub(super) fn read_i32(&mut self) -> Result<i32, SlotFileError> {
        self.read_bytes().map(i32::from_le_bytes)
    }

    pub(super) fn read_u64(&mut self) -> Result<u64, SlotFileError> {
        self.read_bytes().map(u64::from_le_bytes)
    }

    /// Reads a count of `what` and refuses a number above `max`.
    pub(super) fn read_count(
        &mut self,
        what: &'static str,
        max: u32,
    ) -> Result<u32, SlotFileError> {
        let value = self.read_u32()?;
        if value > max {
            return Err(SlotFileError::TooMany {
                what,
                value: value.into(),
                max: max.into(),
            });
        }
        Ok(value)
    }

    /// Skips `bytes` bytes. Fails if the file has fewer.
    pub(super) fn skip(&mut self, bytes: u64) -> Result<(), SlotFileError> {
        self.require(bytes)?;
        self.seek(self.position + bytes)
    }

    /// Moves to `position`, which must not lie beyond the end of the file.
    pub(super) fn seek(&mut self, position: u64) -> Result<(), SlotFileError> {
        if position > self.len {
            return Err(self.truncated());
        }
        let distance = position.cast_signed() - self.position.cast_signed();
        self.input.seek_relative(distance)?;
        self.position = position;
        Ok(())
    }

    /// Fails unless the file has at least `bytes` more bytes.
    pub(super) fn require(&self, bytes: u64) -> Result<(), SlotFileError> {
        if bytes > self.len - self.position {
            return Err(self.truncated());
        }
        Ok(())
    }

    fn read_bytes<const N: usize>(&mut self) -> Result<[u8; N], SlotFileError> {
        self.require(N as u64)?;
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes)?;
        self.position += N as u64;
        Ok(bytes)
    }

    fn truncated(&self) -> SlotFileError {
        SlotFileError::Truncated {
            offset: self.position,
            len: self.len,
        }
    }
}
