//! The error of a refused slot file.

use std::io;

/// Reasons to refuse a slot file. A refused file must not reach the child; the prompt is then read again.
#[derive(Debug, thiserror::Error)]
pub enum SlotFileError {
    /// The file could not be read.
    #[error("cannot read the slot file: {0}")]
    Io(#[from] io::Error),
    /// The file is not a slot file, or llama.cpp has changed the format.
    #[error("unknown slot file format (magic {magic:#010x}, version {version})")]
    UnknownVersion {
        /// The first four bytes, little-endian.
        magic: u32,
        /// The next four bytes, little-endian.
        version: u32,
    },
    /// The length of the file differs from that of the saved file.
    #[error("the slot file has {len} bytes instead of {expected}")]
    WrongLength {
        /// Length after the save, in bytes.
        expected: u64,
        /// Length now, in bytes.
        len: u64,
    },
    /// The file ends within a structure.
    #[error("the slot file ends at byte {len}, within a structure at byte {offset}")]
    Truncated {
        /// Offset of the structure, in bytes.
        offset: u64,
        /// Length of the file, in bytes.
        len: u64,
    },
    /// A number exceeds its limit.
    #[error("the slot file states {value} {what}, more than {max}")]
    TooMany {
        /// The counted things, in the plural.
        what: &'static str,
        /// The number in the file.
        value: u64,
        /// The limit.
        max: u64,
    },
    /// The conversation holds images or audio.
    #[error("the slot file holds images or audio, which paddock does not restore")]
    Media,
    /// The conversation has no tokens.
    #[error("the slot file holds no tokens")]
    Empty,
    /// The bytes at `offset` match no structure that llama.cpp writes for these tokens.
    #[error("the slot file has an unknown structure at byte {offset}")]
    UnknownStructure {
        /// Offset of the structure, in bytes.
        offset: u64,
    },
}
