//! Arithmetic that no header can make overflow: what is too large is the largest number there is.

use crate::ggml::GgmlType;

/// llama.cpp pads contexts and sliding windows to this many cells.
pub(super) const CELLS: u64 = 256;

pub(super) fn sum(numbers: impl IntoIterator<Item = u64>) -> u64 {
    numbers.into_iter().fold(0, u64::saturating_add)
}

pub(super) fn product<const N: usize>(factors: [u64; N]) -> u64 {
    // None of something absurd is nothing, so a zero has to win.
    if factors.contains(&0) {
        return 0;
    }
    factors.into_iter().fold(1, u64::saturating_mul)
}

pub(super) fn pad(cells: u64) -> u64 {
    cells.div_ceil(CELLS).saturating_mul(CELLS)
}

/// Returns the bytes of a row of a type; of an unknown one as many as of 32-bit floats.
pub(super) fn row(ggml_type: GgmlType, elements: u64) -> u64 {
    let (block, bytes) = ggml_type.block().unwrap_or((1, 4));
    elements.div_ceil(block).saturating_mul(bytes)
}
