use super::Scan;
use std::str;

/// The longest name of a model that is looked for in a request, in bytes.
pub const MAX_MODEL_NAME: usize = 512;

/// Why a name in a target or a header field is not one. The client is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// `%` without two hexadecimal digits.
    #[error("the model's name holds a '%' that two hexadecimal digits do not follow")]
    Percent,
    /// It is not UTF-8.
    #[error("the model's name is not UTF-8")]
    NotUtf8,
    /// It is longer than [`MAX_MODEL_NAME`] bytes.
    #[error("the model's name is longer than 512 bytes")]
    TooLong,
}

/// The name in the value of `x-paddock-model`, or `None` where it is empty.
///
/// # Errors
/// It is too long, or not UTF-8.
pub fn named_by_field(value: &[u8]) -> Result<Option<&str>, BadName> {
    let value = value.trim_ascii();
    if value.len() > MAX_MODEL_NAME {
        return Err(BadName::TooLong);
    }
    match str::from_utf8(value) {
        Ok("") => Ok(None),
        Ok(name) => Ok(Some(name)),
        Err(_) => Err(BadName::NotUtf8),
    }
}

/// A name while it is put together, in place.
#[derive(Debug, Clone)]
pub(super) struct NameBuffer {
    bytes: [u8; MAX_MODEL_NAME],
    len: usize,
}

/// There is no room for more of the name.
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

    /// What a scan that ends with this name says.
    pub(super) fn verdict(&self) -> Scan {
        match self.name() {
            Some(_) => Scan::Found,
            None => Scan::Absent,
        }
    }

    /// The name, where it is one: UTF-8 and not empty.
    pub(super) fn name(&self) -> Option<&str> {
        let name = str::from_utf8(self.bytes.get(..self.len)?).ok()?;
        (!name.is_empty()).then_some(name)
    }
}
