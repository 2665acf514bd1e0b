//! Provides saturating arithmetic, so that no header can cause an overflow.

use crate::ggml_type::GgmlType;

/// llama.cpp pads contexts and sliding windows to a multiple of this number of cells.
pub(super) const CELL_PADDING: u64 = 256;

/// Adds numbers; a sum that does not fit becomes the largest `u64`.
pub(super) fn sum(numbers: impl IntoIterator<Item = u64>) -> u64 {
    numbers.into_iter().fold(0, u64::saturating_add)
}

/// Multiplies numbers; a product that does not fit becomes the largest `u64`.
pub(super) fn product<const N: usize>(factors: [u64; N]) -> u64 {
    // Zero times an absurd number is zero.
    if factors.contains(&0) {
        return 0;
    }
    factors.into_iter().fold(1, u64::saturating_mul)
}

/// Rounds a number of KV cache cells (one per token) up to a multiple of [`CELL_PADDING`].
pub(super) fn pad_cells(cells: u64) -> u64 {
    cells.div_ceil(CELL_PADDING).saturating_mul(CELL_PADDING)
}

/// Returns the bytes of a row; an unknown type counts as 32-bit floats.
pub(super) fn row_bytes(ggml_type: GgmlType, elements: u64) -> u64 {
    let (block, bytes) = ggml_type.block().unwrap_or((1, 4));
    elements.div_ceil(block).saturating_mul(bytes)
}
