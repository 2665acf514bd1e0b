//! The KV cells of attention layers (llama.cpp b11434, src/llama-kv-cache.cpp `state_write`).
//!
//! ```text
//! streams | for each stream: cell count; if not 0: cell records | transposed, layers, key rotation, value rotation
//!         | for each layer: key type, row size, rows | for each layer: value type, row size, rows
//! ```
//!
//! A sequence is stored in one stream; the other streams have 0 cells.

use std::io::{Read, Seek};

use paddock_gguf::GgmlType;

use super::TensorRows;
use super::cursor::Cursor;
use super::error::SlotFileError;
use crate::limits;

/// Size of a cell record without extension: position, number of sequences, sequence.
const RECORD_SIZE: u64 = 12;

/// Size of the extension: two coordinates and a token (`llama_kv_cell_ext`).
const EXTENSION_SIZE: u64 = 12;

/// Presence of the extension in cell records: models with M-RoPE or n-gram embeddings have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CellExtension {
    Absent,
    Present,
}

/// Presence of value tensors: multi-head latent attention keeps values within the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueTensors {
    Absent,
    Present,
}

/// The cells of one KV cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttentionCells {
    /// Number of streams of the cache.
    pub stream_count: u32,
    /// The stream that holds the sequence.
    pub stream: u32,
    /// Offset of the first byte of this part.
    pub start: u64,
    /// Offset of the first cell record.
    pub records_offset: u64,
    /// The cell records, in file order.
    pub records: Vec<CellRecord>,
    /// Size of one record, in bytes.
    pub record_size: u64,
    /// True if values are stored by element instead of by cell (flash attention is off).
    pub is_transposed: bool,
    /// Sizes of the rotations that the engine applied to keys and values before it quantised them.
    pub rotation: (u32, u32),
    /// Offset of the transposition flag, which follows the records.
    pub layers_offset: u64,
    /// Number of layers.
    pub layer_count: u32,
    /// Key tensors of all layers, then value tensors of all layers.
    pub tensors: Vec<TensorRows>,
    /// Offset of the first byte after this part.
    pub end: u64,
}

/// The record of one cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellRecord {
    /// Position of the token in the conversation.
    pub position: u32,
}

impl AttentionCells {
    /// Returns the first position that has a cell.
    pub fn first_position(&self) -> u32 {
        let positions = self.records.iter().map(|record| record.position);
        positions.min().unwrap_or(0)
    }
}

/// Reads one KV cache and leaves the cursor behind it.
pub(super) fn walk<R: Read + Seek>(
    cursor: &mut Cursor<R>,
    tokens: &[i32],
    extension: CellExtension,
    values: ValueTensors,
) -> Result<AttentionCells, SlotFileError> {
    let start = cursor.position();
    let stream_count = cursor.read_count("streams", limits::MAX_STREAMS)?;
    let mut found = None;
    for stream in 0..stream_count {
        let count = cursor.read_count("cells", limits::MAX_TOKENS)?;
        if count == 0 {
            continue;
        }
        if found.is_some() {
            return Err(SlotFileError::UnknownStructure { offset: start });
        }
        found = Some(walk_stream(cursor, tokens, count, extension, values)?);
        if let Some(cells) = &mut found {
            (cells.stream_count, cells.stream) = (stream_count, stream);
        }
    }
    let mut cells = found.ok_or(SlotFileError::UnknownStructure { offset: start })?;
    (cells.start, cells.end) = (start, cursor.position());
    Ok(cells)
}

fn walk_stream<R: Read + Seek>(
    cursor: &mut Cursor<R>,
    tokens: &[i32],
    count: u32,
    extension: CellExtension,
    values: ValueTensors,
) -> Result<AttentionCells, SlotFileError> {
    let record_size = match extension {
        CellExtension::Absent => RECORD_SIZE,
        CellExtension::Present => RECORD_SIZE + EXTENSION_SIZE,
    };
    let records_offset = cursor.position();
    let records = read_records(cursor, tokens, count, record_size)?;
    let layers_offset = cursor.position();
    let transposed = match cursor.read_u32()? {
        0 => false,
        1 => true,
        _ => {
            return Err(SlotFileError::UnknownStructure {
                offset: layers_offset,
            });
        }
    };
    let layer_count = cursor.read_count("layers", limits::MAX_LAYERS)?;
    let rotation = (cursor.read_u32()?, cursor.read_u32()?);
    let mut tensors = Vec::new();
    for _ in 0..layer_count {
        tensors.push(walk_rows(cursor, count.into())?);
    }
    if values == ValueTensors::Present {
        for _ in 0..layer_count {
            tensors.push(if transposed {
                walk_transposed(cursor, count.into())?
            } else {
                walk_rows(cursor, count.into())?
            });
        }
    }
    Ok(AttentionCells {
        stream_count: 1,
        stream: 0,
        start: records_offset,
        records_offset,
        records,
        record_size,
        is_transposed: transposed,
        rotation,
        layers_offset,
        layer_count,
        tensors,
        end: cursor.position(),
    })
}

/// Reads the cell records. Their positions must be distinct, have no gaps, and end at the last token.
fn read_records<R: Read + Seek>(
    cursor: &mut Cursor<R>,
    tokens: &[i32],
    count: u32,
    record_size: u64,
) -> Result<Vec<CellRecord>, SlotFileError> {
    let start = cursor.position();
    let unknown = || SlotFileError::UnknownStructure { offset: start };
    let first = tokens
        .len()
        .checked_sub(count as usize)
        .ok_or_else(unknown)?;
    cursor.require(u64::from(count) * record_size)?;
    let mut seen = vec![false; count as usize];
    let mut records = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let (position, sequences) = (cursor.read_u32()?, cursor.read_u32()?);
        if sequences != 1 {
            return Err(unknown());
        }
        let index = (position as usize).checked_sub(first);
        match index.and_then(|index| seen.get_mut(index)) {
            Some(seen) if !*seen => *seen = true,
            _ => return Err(unknown()),
        }
        cursor.skip(record_size - 8)?;
        records.push(CellRecord { position });
    }
    Ok(records)
}

/// Skips the rows of one tensor, one row per cell. Rows must not be empty.
fn walk_rows<R: Read + Seek>(
    cursor: &mut Cursor<R>,
    rows: u64,
) -> Result<TensorRows, SlotFileError> {
    let start = cursor.position();
    let walked = walk_rows_or_empty(cursor, rows)?;
    if walked.row_size == 0 {
        return Err(SlotFileError::UnknownStructure { offset: start });
    }
    Ok(walked)
}

/// Skips the rows of one tensor, one row per cell. Rows may be empty.
pub(super) fn walk_rows_or_empty<R: Read + Seek>(
    cursor: &mut Cursor<R>,
    rows: u64,
) -> Result<TensorRows, SlotFileError> {
    let start = cursor.position();
    let element_type = GgmlType(cursor.read_u32()?);
    let row_size = cursor.read_u64()?;
    let unknown = SlotFileError::UnknownStructure { offset: start };
    if row_size > limits::MAX_ROW_SIZE {
        return Err(unknown);
    }
    match element_type.block().map(|(_, bytes)| bytes) {
        Some(bytes) if row_size.is_multiple_of(bytes) => {}
        _ => return Err(unknown),
    }
    let offset = cursor.position();
    cursor.skip(rows * row_size)?;
    Ok(TensorRows {
        element_type,
        row_size,
        offset,
    })
}

/// Skips one transposed value tensor, which stores the values of all cells for each element.
fn walk_transposed<R: Read + Seek>(
    cursor: &mut Cursor<R>,
    cells: u64,
) -> Result<TensorRows, SlotFileError> {
    let start = cursor.position();
    let element_type = GgmlType(cursor.read_u32()?);
    let element_size = u64::from(cursor.read_u32()?);
    let elements = u64::from(cursor.read_u32()?);
    let row_size = element_size * elements;
    if element_type.block().map(|(_, bytes)| bytes) != Some(element_size)
        || row_size == 0
        || row_size > limits::MAX_ROW_SIZE
    {
        return Err(SlotFileError::UnknownStructure { offset: start });
    }
    let offset = cursor.position();
    cursor.skip(cells * row_size)?;
    Ok(TensorRows {
        element_type,
        row_size,
        offset,
    })
}
