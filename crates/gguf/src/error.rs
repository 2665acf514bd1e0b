//! Why a model file is refused.

use std::io;

use crate::value::ValueType;

impl Error {
    /// Returns whether the file's contents are at fault, so that the same file is refused the next time as well.
    ///
    /// An error of the system, such as no more file descriptors or a network file system that is away, may pass.
    pub fn is_in_the_file(&self) -> bool {
        !matches!(self, Self::Io(_))
    }
}

/// Why a model file is refused. The messages complete the sentence "the file …".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be opened or read.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The path leads to a directory, a device or the like.
    #[error("is {0}, not a regular file")]
    NotAFile(&'static str),
    /// The file has no bytes.
    #[error("is empty")]
    Empty,
    /// The file does not begin with the letters `GGUF`.
    #[error("is not a GGUF file: {0}")]
    NotGguf(String),
    /// The numbers are stored most significant byte first.
    #[error("is a big-endian GGUF file, which only big-endian machines read")]
    BigEndian,
    /// The version is not 2 or 3.
    #[error("has GGUF version {0}; versions 2 and 3 are read")]
    Version(u32),
    /// The file ends before its tensor table does.
    #[error("is truncated: it ends after {0} bytes, inside its header")]
    HeaderTruncated(u64),
    /// The file ends before the data of its last tensor does. Sizes in bytes.
    #[error("is truncated: its tensors need {needs} bytes, it has {has}")]
    Truncated {
        /// The length the tensor table asks for.
        needs: u64,
        /// The length the file has.
        has: u64,
    },
    /// A count or a length is beyond what any model has.
    #[error("claims {what} of {value}; at most {limit} is read")]
    TooMuch {
        /// What is counted.
        what: &'static str,
        /// The number in the file.
        value: u64,
        /// The limit, one of [`crate::limits`].
        limit: u64,
    },
    /// A metadata value has a type the format does not define.
    #[error("has metadata key `{key}` of unknown type {number}")]
    ValueType {
        /// The metadata key.
        key: String,
        /// The number in the file.
        number: u32,
    },
    /// A metadata value is an array of arrays, which llama.cpp does not read either.
    #[error("has metadata key `{0}` with an array of arrays")]
    NestedArray(String),
    /// A metadata key or a tensor name is there twice.
    #[error("has the {what} `{name}` twice")]
    Duplicate {
        /// Which table.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A metadata value that must have one type has another.
    #[error("has metadata key `{key}` of type {found} where {expected} is expected")]
    KeyType {
        /// The metadata key.
        key: &'static str,
        /// The type it must have.
        expected: ValueType,
        /// What it has.
        found: String,
    },
    /// `general.alignment` is not a power of two.
    #[error("has an alignment of {0}, which is not a power of two")]
    Alignment(u32),
    /// A tensor's type was taken out of the format.
    #[error("has tensor `{tensor}` of ggml type {number}, which llama.cpp no longer reads")]
    RemovedType {
        /// The tensor's name.
        tensor: String,
        /// The number in the file.
        number: u32,
    },
    /// A tensor's shape or place makes no sense.
    #[error("has tensor `{tensor}` {problem}")]
    Tensor {
        /// The tensor's name.
        tensor: String,
        /// What is wrong, completing "has tensor X …".
        problem: String,
    },
}
