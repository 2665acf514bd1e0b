//! Limits and errors of model names in requests, and the buffer that collects a name.

use super::ScanResult;
use std::str;

/// Limit on a model name in a request, in bytes.
pub const MAX_MODEL_NAME: usize = 512;

/// The reason a model name in a target or a header field is invalid. The client is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidModelName {
    /// A `%` is not followed by two hexadecimal digits.
    #[error("the model name contains a '%' without two hexadecimal digits")]
    Percent,
    /// The name is not UTF-8.
    #[error("the model name is not UTF-8")]
    NotUtf8,
    /// The name exceeds [`MAX_MODEL_NAME`] bytes.
    #[error("the model name is longer than 512 bytes")]
    TooLong,
}

/// Returns the name in the value of `x-paddock-model`, or `None` if it is empty.
///
/// # Errors
/// The name is too long or not UTF-8.
pub fn parse_model_header(value: &[u8]) -> Result<Option<&str>, InvalidModelName> {
    let value = value.trim_ascii();
    if value.len() > MAX_MODEL_NAME {
        return Err(InvalidModelName::TooLong);
    }
    match str::from_utf8(value) {
        Ok("") => Ok(None),
        Ok(name) => Ok(Some(name)),
        Err(_) => Err(InvalidModelName::NotUtf8),
    }
}

/// A name under construction, stored inline.
#[derive(Debug, Clone)]
pub(super) struct NameBuffer {
    bytes: [u8; MAX_MODEL_NAME],
    len: usize,
}

/// The name exceeds [`MAX_MODEL_NAME`] bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Overlong;

impl NameBuffer {
    pub(super) fn new() -> Self {
        Self {
            bytes: [0; MAX_MODEL_NAME],
            len: 0,
        }
    }

    pub(super) fn extend(&mut self, bytes: &[u8]) -> Result<(), Overlong> {
        let end = self.len + bytes.len();
        let room = self.bytes.get_mut(self.len..end).ok_or(Overlong)?;
        room.copy_from_slice(bytes);
        self.len = end;
        Ok(())
    }

    /// Returns the result of a scan that ends with this name.
    pub(super) fn result(&self) -> ScanResult {
        match self.name() {
            Some(_) => ScanResult::Found,
            None => ScanResult::Absent,
        }
    }

    /// Returns the name if it is UTF-8 and not empty.
    pub(super) fn name(&self) -> Option<&str> {
        let name = str::from_utf8(self.bytes.get(..self.len)?).ok()?;
        (!name.is_empty()).then_some(name)
    }
}
