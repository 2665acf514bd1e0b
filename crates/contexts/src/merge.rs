//! Adds the sliding-window cells of an earlier state to a later one.
//!
//! A slot file holds only the last window of each sliding-window layer: with `n` tokens and a window of `w`, positions
//! `n - w` to `n - 1`. llama-server continues a restored conversation only if the file also holds the window before the
//! position where the next prompt differs. A single file always lacks at least one of these cells, so the server reads
//! the whole prompt again (tools/server/server-context.cpp, `pos_min_thold`). A second file of the same conversation,
//! saved a few tokens earlier, has them. [`merge`] writes the later file with the union of both windows, and every cell
//! of the result is one that the child computed.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;

use paddock_gguf::GgmlType;

use crate::slot_file::{AttentionCells, CellRecord, MemoryPart, SlotFile, TensorRows};

/// Size of the header before the tensors of a KV cache: transposition, layers, key rotation, value rotation.
const LAYERS_HEADER_SIZE: u64 = 16;

/// Size of the header of each tensor: type and row size.
const TENSOR_HEADER_SIZE: u64 = 12;

/// Reasons why two files cannot be merged.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// A file could not be read or written.
    #[error("cannot merge slot files: {0}")]
    Io(#[from] io::Error),
    /// The earlier file belongs to another conversation, or does not have fewer tokens.
    #[error("the earlier slot file is not the beginning of the later one")]
    OtherConversation,
    /// The files differ in parts, layers, types, row sizes or streams.
    #[error("the slot files have different structures")]
    OtherStructure,
    /// Values are stored transposed, which the merge does not support.
    #[error("the values are stored transposed (flash attention is off)")]
    Transposed,
    /// Positions between the two windows have no cell.
    #[error("the windows of the slot files do not touch")]
    Gap,
}

/// Writes the later file to `output` and extends each sliding-window part by the cells that only the earlier file has.
///
/// In each extended part, the cells of the earlier file come first.
///
/// # Errors
///
/// Returns [`MergeError`] if the files do not belong together or cannot be read or written. The output is then
/// incomplete.
pub fn merge<R: Read + Seek>(
    (earlier, earlier_input): (&SlotFile, R),
    (later, later_input): (&SlotFile, R),
    output: &mut impl Write,
) -> Result<(), MergeError> {
    if earlier.tokens.len() >= later.tokens.len() || !later.tokens.starts_with(&earlier.tokens) {
        return Err(MergeError::OtherConversation);
    }
    if earlier.parts.len() != later.parts.len() {
        return Err(MergeError::OtherStructure);
    }
    let pairs = earlier.parts.iter().zip(&later.parts);
    let plans = pairs.map(|(earlier, later)| plan(earlier, later));
    let plans: Vec<Option<Plan<'_>>> = plans.collect::<Result<_, _>>()?;
    let later_len = later.len;
    let (mut earlier, mut later) = (earlier_input, later_input);
    let mut copied = 0;
    for plan in plans.iter().flatten() {
        copy(&mut later, copied..plan.later.start, output)?;
        write_part(plan, &mut earlier, &mut later, output)?;
        copied = plan.later.end;
    }
    copy(&mut later, copied..later_len, output)
}

/// The union of two parts of the same KV cache.
#[derive(Debug)]
struct Plan<'a> {
    earlier: &'a AttentionCells,
    later: &'a AttentionCells,
    /// Ranges of the earlier part's cells that lie before the later window.
    extra: Vec<Range<usize>>,
}

/// Finds the cells of an earlier part that the later part lacks. Returns `None` if there is nothing to add: the later
/// part begins at the first token, or is recurrent state, which has no cells.
fn plan<'a>(
    earlier: &'a MemoryPart,
    later: &'a MemoryPart,
) -> Result<Option<Plan<'a>>, MergeError> {
    let (earlier, later) = match (earlier, later) {
        (MemoryPart::Attention(earlier), MemoryPart::Attention(later)) => (earlier, later),
        (MemoryPart::Recurrent(earlier), MemoryPart::Recurrent(later)) => {
            let is_same = shapes(&earlier.tensors).eq(shapes(&later.tensors));
            return is_same.then_some(None).ok_or(MergeError::OtherStructure);
        }
        _ => return Err(MergeError::OtherStructure),
    };
    let is_same = (
        earlier.stream_count,
        earlier.record_size,
        earlier.layer_count,
    ) == (later.stream_count, later.record_size, later.layer_count)
        && earlier.is_transposed == later.is_transposed
        && earlier.rotation == later.rotation
        && shapes(&earlier.tensors).eq(shapes(&later.tensors));
    if !is_same {
        return Err(MergeError::OtherStructure);
    }
    let first = later.first_position();
    if first == 0 {
        return Ok(None);
    }
    if later.is_transposed {
        return Err(MergeError::Transposed);
    }
    let earlier_end = earlier.first_position() as usize + earlier.records.len();
    if earlier_end < first as usize {
        return Err(MergeError::Gap);
    }
    let extra = runs(&earlier.records, |record| record.position < first);
    Ok(Some(Plan {
        earlier,
        later,
        extra,
    }))
}

/// Returns the type and row size of each tensor.
fn shapes(tensors: &[TensorRows]) -> impl Iterator<Item = (GgmlType, u64)> {
    tensors
        .iter()
        .map(|rows| (rows.element_type, rows.row_size))
}

/// Returns the index ranges of consecutive records that `keep` accepts.
fn runs(records: &[CellRecord], keep: impl Fn(&CellRecord) -> bool) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (index, _) in records
        .iter()
        .enumerate()
        .filter(|(_, record)| keep(record))
    {
        match runs.last_mut() {
            Some(run) if run.end == index => run.end += 1,
            _ => runs.push(index..index + 1),
        }
    }
    runs
}

/// Writes an extended part: the extra cells of the earlier file and all cells of the later file.
fn write_part<R: Read + Seek>(
    plan: &Plan<'_>,
    earlier: &mut R,
    later: &mut R,
    output: &mut impl Write,
) -> Result<(), MergeError> {
    let extra_count: usize = plan.extra.iter().map(ExactSizeIterator::len).sum();
    let count = plan.later.records.len() + extra_count;
    let count = u32::try_from(count).map_err(|_| MergeError::OtherStructure)?;
    output.write_all(&plan.later.stream_count.to_le_bytes())?;
    for _ in 0..plan.later.stream {
        output.write_all(&0_u32.to_le_bytes())?;
    }
    output.write_all(&count.to_le_bytes())?;
    let offsets = (plan.earlier.records_offset, plan.later.records_offset);
    write_cells(
        plan,
        plan.later.record_size,
        offsets,
        earlier,
        later,
        output,
    )?;
    copy(
        later,
        plan.later.layers_offset..plan.later.layers_offset + LAYERS_HEADER_SIZE,
        output,
    )?;
    for (old, new) in plan.earlier.tensors.iter().zip(&plan.later.tensors) {
        copy(later, new.offset - TENSOR_HEADER_SIZE..new.offset, output)?;
        write_cells(
            plan,
            new.row_size,
            (old.offset, new.offset),
            earlier,
            later,
            output,
        )?;
    }
    for _ in plan.later.stream + 1..plan.later.stream_count {
        output.write_all(&0_u32.to_le_bytes())?;
    }
    Ok(())
}

/// Writes one block of entries of `size` bytes each: the extra cells of the earlier file, then all cells of the later
/// one.
fn write_cells<R: Read + Seek>(
    plan: &Plan<'_>,
    size: u64,
    (earlier_offset, later_offset): (u64, u64),
    earlier: &mut R,
    later: &mut R,
    output: &mut impl Write,
) -> Result<(), MergeError> {
    for run in &plan.extra {
        let range =
            earlier_offset + run.start as u64 * size..earlier_offset + run.end as u64 * size;
        copy(earlier, range, output)?;
    }
    let len = plan.later.records.len() as u64 * size;
    copy(later, later_offset..later_offset + len, output)
}

/// Copies a range of bytes. Fails if the input ends before the end of the range.
fn copy<R: Read + Seek>(
    input: &mut R,
    range: Range<u64>,
    output: &mut impl Write,
) -> Result<(), MergeError> {
    input.seek(SeekFrom::Start(range.start))?;
    let len = range.end - range.start;
    if io::copy(&mut input.take(len), output)? < len {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    Ok(())
}
