//! Computes the caches of sparse attention: those of indexers (small attention heads that choose
//! the tokens to attend to), and the compressed caches of `deepseek4`.

use super::kv_cache::cells_per_stream;
use super::memory_options::ResolvedOptions;
use super::model_shape::ModelShape;
use super::saturating::{pad_cells, product, row_bytes, sum};

/// Returns the bytes of a layer's indexer, one key head in addition to the KV cache (llama.cpp
/// b11434, `src/llama-kv-cache-dsa.cpp`, `-msa.cpp` and `src/llama-memory-hybrid-idx.cpp`).
pub(super) fn indexer_bytes(model: &ModelShape<'_>, run: &ResolvedOptions, layer: usize) -> u64 {
    let keys = model.keys();
    let Some(width) = keys.number("attention.indexer.key_length") else {
        return 0;
    };
    // Without a list in the file every layer has an indexer.
    let listed = || {
        let listed = keys.flags("attention.indexer.types");
        listed.is_none_or(|listed| listed.get(layer) == Some(&true))
    };
    let dense = keys.number("leading_dense_block_count").unwrap_or(0);
    let (is_present, width) = match model.arch {
        "deepseek32" => (true, width),
        "glm-dsa" | "hy_v4" => (listed(), width),
        "dots3note" => (listed() && !model.is_windowed(layer), width),
        "glm5-next" => (listed(), width.saturating_mul(3)),
        "qwen4exp" => (true, width.saturating_mul(2)),
        "minimax-m3" => (layer as u64 >= dense, width),
        _ => return 0,
    };
    if !is_present {
        return 0;
    }
    // Only `minimax-m3` caches the values of its indexer too, as one head.
    let values = match model.arch {
        "minimax-m3" => row_bytes(run.type_v, model.attention.value_width(false)),
        _ => 0,
    };
    let each = row_bytes(run.type_k, width).saturating_add(values);
    product([each, run.cells, run.streams])
}

/// Returns the bytes of a `deepseek4` layer: a window of keys and, for layers that compress older
/// tokens, the compressed keys, the indexer's keys and the compressor's state (b11434,
/// `src/llama-kv-cache-dsv4.cpp`).
///
/// Each sequence has a cache of its own, even with a unified cache.
pub(super) fn deepseek4_layer_bytes(
    model: &ModelShape<'_>,
    run: &ResolvedOptions,
    layer: usize,
) -> u64 {
    const FINE_RATIO: u64 = 4;
    const COARSE_RATIO: u64 = 128;
    let divided = ResolvedOptions {
        unified: false,
        ..*run
    };
    let keys = model.keys();
    let ratios = keys.per_layer("attention.compress_ratios", model.layers);
    let width = model.attention.keys_per_token(layer, true);
    let head = model.attention.key_width(true);
    let index = keys.number("attention.indexer.key_length").unwrap_or(0);
    let cached = |ratio: u64, width| {
        let cells = pad_cells(run.cells.div_ceil(ratio).max(1));
        product([row_bytes(run.type_k, width), cells])
    };
    // Two tensors of 32-bit floats each.
    let state = |rows: u64, width: u64| product([rows, width, 4, 2]);
    let window = product([
        row_bytes(run.type_k, width),
        cells_per_stream(model, &divided, true),
    ]);
    let old = match ratios.get(layer) {
        Some(&FINE_RATIO) => sum([
            cached(FINE_RATIO, width),
            cached(FINE_RATIO, index),
            state(2 * FINE_RATIO, head.saturating_mul(2)),
            state(2 * FINE_RATIO, index.saturating_mul(2)),
        ]),
        Some(&COARSE_RATIO) => {
            cached(COARSE_RATIO, width).saturating_add(state(COARSE_RATIO, head))
        }
        _ => 0,
    };
    product([window.saturating_add(old), run.sequences])
}
