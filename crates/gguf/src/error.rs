//! The reasons to refuse a model file.

use std::io;

use crate::value::ValueType;

impl Error {
    /// Returns true if the file's content is at fault, so that the same file will be refused again.
    ///
    /// System errors, such as exhausted file descriptors or an unreachable network file system, are
    /// temporary.
    pub fn is_permanent(&self) -> bool {
        !matches!(self, Self::Io(_))
    }
}

/// The reason a model file is refused. Messages complete the sentence "the file …".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be opened or read.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The path is a directory, a device or another non-regular file.
    #[error("is {0}, not a regular file")]
    NotAFile(&'static str),
    /// The file is empty.
    #[error("is empty")]
    Empty,
    /// The file does not begin with the letters `GGUF`.
    #[error("is not a GGUF file: {0}")]
    NotGguf(String),
    /// The file is big-endian.
    #[error("is a big-endian GGUF file, which only big-endian machines can load")]
    BigEndian,
    /// The version is not 2 or 3.
    #[error("has GGUF version {0}; versions 2 and 3 are supported")]
    Version(u32),
    /// The file ends inside its header.
    #[error("is truncated: it ends after {0} bytes, inside its header")]
    HeaderTruncated(u64),
    /// The file ends before the end of its last tensor. Sizes are in bytes.
    #[error("is truncated: its tensors need {needs} bytes, but the file has {has}")]
    Truncated {
        /// The length that the tensor table requires.
        needs: u64,
        /// The file's length.
        has: u64,
    },
    /// A count or a length exceeds a limit.
    #[error("claims {what} of {value}; the limit is {limit}")]
    TooMuch {
        /// The counted thing.
        what: &'static str,
        /// The number in the file.
        value: u64,
        /// The limit, one of [`crate::limits`].
        limit: u64,
    },
    /// A metadata value has a type that the format does not define.
    #[error("has metadata key `{key}` of unknown type {number}")]
    ValueType {
        /// The metadata key.
        key: String,
        /// The number in the file.
        number: u32,
    },
    /// A metadata value is an array of arrays, which llama.cpp refuses too.
    #[error("has metadata key `{0}` with an array of arrays")]
    NestedArray(String),
    /// A metadata key or a tensor name is repeated.
    #[error("contains the {what} `{name}` twice")]
    Duplicate {
        /// The kind of name.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A metadata value has the wrong type.
    #[error("has metadata key `{key}` of type {found}, but {expected} is expected")]
    KeyType {
        /// The metadata key.
        key: &'static str,
        /// The required type.
        expected: ValueType,
        /// The actual value.
        found: String,
    },
    /// `general.alignment` is not a power of two.
    #[error("has an alignment of {0}, which is not a power of two")]
    Alignment(u32),
    /// A tensor has a type that was removed from the format.
    #[error("has tensor `{tensor}` of ggml type {number}, which llama.cpp no longer reads")]
    RemovedType {
        /// The tensor's name.
        tensor: String,
        /// The number in the file.
        number: u32,
    },
    /// A tensor has an invalid shape or offset.
    #[error("has tensor `{tensor}` {problem}")]
    Tensor {
        /// The tensor's name.
        tensor: String,
        /// The defect, completing "has tensor X …".
        problem: String,
    },
}
