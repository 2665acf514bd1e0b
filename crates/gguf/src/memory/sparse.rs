//! The caches of sparse attention: indexers, and the compressed ones of `deepseek4`.

use super::cache::cells;
use super::model::Model;
use super::options::Run;
use super::sizes::{pad, product, row, sum};

/// Returns the bytes of a layer's indexer, one key head beside the cache proper (llama.cpp b11434,
/// `src/llama-kv-cache-dsa.cpp`, `-msa.cpp` and `src/llama-memory-hybrid-idx.cpp`).
pub(super) fn indexer(model: &Model<'_>, run: &Run, layer: usize) -> u64 {
    let keys = model.keys();
    let Some(width) = keys.number("attention.indexer.key_length") else {
        return 0;
    };
    // A file that does not list the layers has an indexer in all of them.
    let listed = || {
        let listed = keys.flags("attention.indexer.types");
        listed.is_none_or(|listed| listed.get(layer) == Some(&true))
    };
    let dense = keys.number("leading_dense_block_count").unwrap_or(0);
    let (there, width) = match model.arch {
        "deepseek32" => (true, width),
        "glm-dsa" | "hy_v4" => (listed(), width),
        "dots3note" => (listed() && !model.is_windowed(layer), width),
        "glm5-next" => (listed(), width.saturating_mul(3)),
        "qwen4exp" => (true, width.saturating_mul(2)),
        "minimax-m3" => (layer as u64 >= dense, width),
        _ => return 0,
    };
    if !there {
        return 0;
    }
    // Only here the values are cached too, as one head.
    let values = match model.arch {
        "minimax-m3" => row(run.type_v, model.attention.value(false)),
        _ => 0,
    };
    let each = row(run.type_k, width).saturating_add(values);
    product([each, run.cells, run.streams])
}

/// Returns the bytes of a layer of `deepseek4`: a window of keys, and for layers that compress what is
/// older, those keys, an indexer's, and the compressor's state (b11434, `src/llama-kv-cache-dsv4.cpp`).
///
/// Its caches are one for each sequence, shared or not.
pub(super) fn compressed(model: &Model<'_>, run: &Run, layer: usize) -> u64 {
    const FINE: u64 = 4;
    const COARSE: u64 = 128;
    let divided = Run {
        unified: false,
        ..*run
    };
    let keys = model.keys();
    let ratios = keys.per_layer("attention.compress_ratios", model.layers);
    let width = model.attention.keys(layer, true);
    let head = model.attention.key(true);
    let index = keys.number("attention.indexer.key_length").unwrap_or(0);
    let of = |ratio: u64, width| {
        let cells = pad(run.cells.div_ceil(ratio).max(1));
        product([row(run.type_k, width), cells])
    };
    // Two tensors of 32-bit floats each.
    let state = |rows: u64, width: u64| product([rows, width, 4, 2]);
    let window = product([row(run.type_k, width), cells(model, &divided, true)]);
    let old = match ratios.get(layer) {
        Some(&FINE) => sum([
            of(FINE, width),
            of(FINE, index),
            state(2 * FINE, head.saturating_mul(2)),
            state(2 * FINE, index.saturating_mul(2)),
        ]),
        Some(&COARSE) => of(COARSE, width).saturating_add(state(COARSE, head)),
        _ => 0,
    };
    product([window.saturating_add(old), run.sequences])
}
