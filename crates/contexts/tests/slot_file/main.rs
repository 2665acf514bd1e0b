//! Reading and merging slot files: each structure that llama.cpp writes, and hostile input.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod damage;
mod merge;
mod structures;

use std::io::Cursor;

use paddock_contexts::{SlotFile, SlotFileError};

/// Reads a file that has the length with which it was saved.
fn read(bytes: &[u8]) -> Result<SlotFile, SlotFileError> {
    SlotFile::read(Cursor::new(bytes), bytes.len() as u64)
}
