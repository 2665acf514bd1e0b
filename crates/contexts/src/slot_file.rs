//! Checks the structure of a llama-server slot file up to its last byte.
//!
//! The format is private to llama.cpp and describes neither the model nor its own structure. This reader supports
//! version 4 of sequence files (llama.cpp b11434, src/llama-context.cpp `state_seq_save_file`), with a plain token list
//! or with version 1 of the server's packed list (tools/server/server-common.cpp `server_tokens::serialize`):
//!
//! ```text
//! magic "qsgg" | version 4 | number of words | words: -1, 1, n, tokens…, 0 (media chunks) | memory parts
//! ```
//!
//! Memory parts follow each other without tags. Three facts are not in the file: the number of parts, the presence of a
//! 12-byte extension in each cell record, and the presence of value tensors (absent with multi-head latent attention).
//! [`SlotFile::read`] tries each combination, and accepts the first one that ends exactly at the end of the file and
//! whose cells match the tokens.

mod attention;
mod cursor;
mod error;
mod recurrent;
mod tokens;

use std::io::{Read, Seek};

use paddock_gguf::GgmlType;

pub use attention::{AttentionCells, CellRecord};
pub use error::SlotFileError;
pub use recurrent::RecurrentState;

use crate::limits;
use attention::{CellExtension, ValueTensors};
use cursor::Cursor;

/// `LLAMA_STATE_SEQ_MAGIC`, "ggsq" as a number. Stored little-endian, so a file begins with the bytes "qsgg".
const MAGIC: u32 = 0x6767_7371;

/// The version of sequence files that this reader supports.
const VERSION: u32 = 4;

/// The structure of a complete slot file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotFile {
    /// The tokens whose state the file holds, from the first token of the conversation.
    pub tokens: Vec<i32>,
    /// The parts of the model's memory, in file order.
    pub parts: Vec<MemoryPart>,
    /// Offset of the first memory part, in bytes.
    pub memory_offset: u64,
    /// Length of the file, in bytes.
    pub len: u64,
}

/// A part of a model's memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemoryPart {
    /// Keys and values of attention layers, one cell per token.
    Attention(AttentionCells),
    /// The state of recurrent layers after the last token.
    Recurrent(RecurrentState),
}

/// The rows of one tensor: `row_size` bytes for each cell, in the order of the cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TensorRows {
    /// The type of the elements.
    pub element_type: GgmlType,
    /// Bytes per cell.
    pub row_size: u64,
    /// Offset of the first row in the file, in bytes.
    pub offset: u64,
}

impl SlotFile {
    /// Reads the file's structure from its first to its last byte and skips the cell data.
    ///
    /// `expected_len` is the length in bytes that llama-server reported after the save (`n_written`). The structure
    /// alone does not reveal every truncation: a file that is cut between two parts looks like the complete file of a
    /// simpler model.
    ///
    /// # Errors
    ///
    /// Returns [`SlotFileError`] if the input cannot be read, has another version, is truncated, has a damaged
    /// structure, holds images or audio, or lacks cells for its last token. Damage inside cell data is not detected;
    /// only a checksum reveals it.
    pub fn read<R: Read + Seek>(input: R, expected_len: u64) -> Result<Self, SlotFileError> {
        let mut cursor = Cursor::new(input)?;
        if cursor.len() != expected_len {
            return Err(SlotFileError::WrongLength {
                expected: expected_len,
                len: cursor.len(),
            });
        }
        let (magic, version) = (cursor.read_u32()?, cursor.read_u32()?);
        if (magic, version) != (MAGIC, VERSION) {
            return Err(SlotFileError::UnknownVersion { magic, version });
        }
        let tokens = tokens::read(&mut cursor)?;
        let memory_offset = cursor.position();
        for extension in [CellExtension::Absent, CellExtension::Present] {
            cursor.seek(memory_offset)?;
            if let Some(parts) = walk_parts(&mut cursor, &tokens, extension, 0)? {
                return Ok(Self {
                    tokens,
                    parts,
                    memory_offset,
                    len: cursor.len(),
                });
            }
        }
        Err(SlotFileError::UnknownStructure {
            offset: memory_offset,
        })
    }

    /// Returns true if the file holds the state of recurrent layers.
    pub fn has_recurrent_state(&self) -> bool {
        self.parts
            .iter()
            .any(|part| matches!(part, MemoryPart::Recurrent(_)))
    }

    /// Returns the attention parts that do not begin at the first token: those of a sliding window.
    pub fn window_parts(&self) -> impl Iterator<Item = &AttentionCells> {
        self.parts.iter().filter_map(|part| match part {
            MemoryPart::Attention(cells) if cells.first_position() > 0 => Some(cells),
            MemoryPart::Attention(_) | MemoryPart::Recurrent(_) => None,
        })
    }
}

/// Reads the parts from the cursor to the end of the file. Returns `None` if no combination of parts fits.
fn walk_parts<R: Read + Seek>(
    cursor: &mut Cursor<R>,
    tokens: &[i32],
    extension: CellExtension,
    depth: usize,
) -> Result<Option<Vec<MemoryPart>>, SlotFileError> {
    if cursor.is_at_end() {
        return Ok((depth > 0).then(Vec::new));
    }
    if depth == limits::MAX_PARTS {
        return Ok(None);
    }
    let start = cursor.position();
    for values in [ValueTensors::Present, ValueTensors::Absent] {
        cursor.seek(start)?;
        let Some(cells) = fits(attention::walk(cursor, tokens, extension, values))? else {
            continue;
        };
        if let Some(mut rest) = walk_parts(cursor, tokens, extension, depth + 1)? {
            rest.insert(0, MemoryPart::Attention(cells));
            return Ok(Some(rest));
        }
    }
    cursor.seek(start)?;
    let state = fits(recurrent::walk(cursor, tokens))?;
    Ok(state.map(|state| vec![MemoryPart::Recurrent(state)]))
}

/// Turns a structural mismatch into `None`, and passes read errors on.
fn fits<T>(walked: Result<T, SlotFileError>) -> Result<Option<T>, SlotFileError> {
    match walked {
        Ok(value) => Ok(Some(value)),
        Err(SlotFileError::Io(error)) => Err(SlotFileError::Io(error)),
        Err(_) => Ok(None),
    }
}
