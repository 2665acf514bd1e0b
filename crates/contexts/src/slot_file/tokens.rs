//! The token list of a slot file.

use std::io::{Read, Seek};

use super::cursor::Cursor;
use super::error::SlotFileError;
use crate::limits;

/// First word of the packed form: `LLAMA_TOKEN_NULL`. No plain list begins with it.
const PACKED_MARKER: i32 = -1;

/// The version of the packed form (llama.cpp b11434, tools/server/server-common.cpp).
const PACKED_VERSION: u32 = 1;

/// Number of words of the packed form in addition to the tokens: marker, version, token count, media chunk count.
const PACKED_OVERHEAD: u32 = 4;

/// Reads the plain or packed token list and leaves the cursor at the first memory part.
pub(super) fn read<R: Read + Seek>(cursor: &mut Cursor<R>) -> Result<Vec<i32>, SlotFileError> {
    let words = cursor.read_count("tokens", limits::MAX_TOKENS)?;
    if words == 0 {
        return Err(SlotFileError::Empty);
    }
    cursor.require(u64::from(words) * 4)?;
    let list_offset = cursor.position();
    let first = cursor.read_i32()?;
    if first != PACKED_MARKER {
        cursor.seek(list_offset)?;
        return read_list(cursor, words);
    }
    let unknown = SlotFileError::UnknownStructure {
        offset: list_offset,
    };
    if words <= PACKED_OVERHEAD || cursor.read_u32()? != PACKED_VERSION {
        return Err(unknown);
    }
    let count = cursor.read_count("tokens", words)?;
    if count > words - PACKED_OVERHEAD {
        return Err(unknown);
    }
    let tokens = read_list(cursor, count)?;
    if cursor.read_u32()? != 0 {
        return Err(SlotFileError::Media);
    }
    if count != words - PACKED_OVERHEAD || tokens.is_empty() {
        return Err(unknown);
    }
    Ok(tokens)
}

fn read_list<R: Read + Seek>(
    cursor: &mut Cursor<R>,
    count: u32,
) -> Result<Vec<i32>, SlotFileError> {
    cursor.require(u64::from(count) * 4)?;
    (0..count).map(|_| cursor.read_i32()).collect()
}
