//! The state of recurrent layers (llama.cpp b11434, src/llama-memory-recurrent.cpp `state_write`).
//!
//! ```text
//! cells | for each cell: position, 0 | 0, layers | convolution tensors: type, row size, rows | state tensors: the same
//! ```
//!
//! Only recurrent layers have tensors, and the number of recurrent layers is not in the file: the tensors extend to the
//! end of the file, and half of them are convolution tensors. Layers with short convolutions (LFM2) have no other
//! state: their state tensors are empty.

use std::io::{Read, Seek};

use super::TensorRows;
use super::attention::walk_rows_or_empty;
use super::cursor::Cursor;
use super::error::SlotFileError;
use crate::limits;

/// The state of recurrent layers after the last token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecurrentState {
    /// Number of layers of the model, including layers without state.
    pub layer_count: u32,
    /// Convolution states of all recurrent layers, then their recurrent states.
    pub tensors: Vec<TensorRows>,
}

/// Reads recurrent state, which extends to the end of the file.
pub(super) fn walk<R: Read + Seek>(
    cursor: &mut Cursor<R>,
    tokens: &[i32],
) -> Result<RecurrentState, SlotFileError> {
    let start = cursor.position();
    let unknown = || SlotFileError::UnknownStructure { offset: start };
    // The state of a single sequence has one cell unless a rollback is pending.
    let (cells, position, sequences) = (cursor.read_u32()?, cursor.read_u32()?, cursor.read_u32()?);
    let is_at_last_token = position as usize + 1 == tokens.len();
    if cells != 1 || !is_at_last_token || sequences != 0 || cursor.read_u32()? != 0 {
        return Err(unknown());
    }
    let layer_count = cursor.read_count("layers", limits::MAX_LAYERS)?;
    let mut tensors: Vec<TensorRows> = Vec::new();
    while !cursor.is_at_end() {
        if tensors.len() == 2 * layer_count as usize {
            return Err(unknown());
        }
        tensors.push(walk_rows_or_empty(cursor, cells.into())?);
    }
    let (convolutions, states) = tensors.split_at(tensors.len() / 2);
    let is_uniform = |rows: &[TensorRows]| {
        rows.windows(2)
            .all(|pair| pair[0].row_size == pair[1].row_size)
    };
    if tensors.is_empty()
        || convolutions.len() != states.len()
        || !is_uniform(convolutions)
        || !is_uniform(states)
    {
        return Err(unknown());
    }
    Ok(RecurrentState {
        layer_count,
        tensors,
    })
}
