//! Computes the size of the KV cache, layer by layer. A cell holds one token. A stream is a
//! separate cache: a unified cache has one stream, otherwise each slot has a stream.

use super::memory_options::ResolvedOptions;
use super::model_shape::ModelShape;
use super::saturating::{pad_cells, product, row_bytes};
use super::sparse_attention;

/// Returns the bytes of a layer's KV cache.
pub(super) fn layer_bytes(model: &ModelShape<'_>, run: &ResolvedOptions, layer: usize) -> u64 {
    if !model.has_memory() || model.arch == "gemma4-assistant" {
        return 0;
    }
    if model.arch == "deepseek4" {
        return sparse_attention::deepseek4_layer_bytes(model, run, layer);
    }
    if !has_cache(model, run, layer) {
        return 0;
    }
    let windowed = model.is_windowed(layer);
    let cells = cells_per_stream(model, run, windowed);
    let attention = &model.attention;
    let keys = row_bytes(run.type_k, attention.keys_per_token(layer, windowed));
    let values = if attention.is_compressed {
        0
    } else if run.flash {
        row_bytes(run.type_v, attention.values_per_token(layer, windowed))
    } else {
        row_bytes(run.type_v, max_values_per_token(model))
    };
    let whole = product([keys.saturating_add(values), cells, run.streams]);
    let loops = model
        .keys()
        .number("num_loops")
        .filter(|_| model.arch == "nanbeige");
    let whole = whole.saturating_mul(loops.unwrap_or(1));
    whole.saturating_add(sparse_attention::indexer_bytes(model, run, layer))
}

/// Returns the cells of one stream of a layer (llama.cpp b11434, `src/llama-kv-cache-iswa.cpp`).
///
/// With a unified cache the window covers all sequences. The window has room for another batch, is
/// padded, and never exceeds the context.
pub(super) fn cells_per_stream(
    model: &ModelShape<'_>,
    run: &ResolvedOptions,
    windowed: bool,
) -> u64 {
    let Some(windows) = model.windows.as_ref().filter(|_| windowed && !run.swa_full) else {
        return run.cells;
    };
    let sequences = if run.unified { run.sequences } else { 1 };
    let window = product([windows.tokens, sequences]).saturating_add(run.ubatch);
    pad_cells(run.cells.min(window))
}

/// Architectures that always cache the multi-token prediction layers.
const WITH_CACHED_PREDICTION_LAYERS: [&str; 2] = ["hy_v4", "minimax-m3"];

/// Returns true if a layer has a cache of its own (b11434, `llama_model::create_memory` and
/// `has_kv`).
fn has_cache(model: &ModelShape<'_>, run: &ResolvedOptions, layer: usize) -> bool {
    let own = match model.arch {
        "gemma3n" => 20,
        "gemma4" => {
            let shared = model
                .keys()
                .number("attention.shared_kv_layers")
                .unwrap_or(0);
            model
                .layers
                .saturating_sub(usize::try_from(shared).unwrap_or(usize::MAX))
        }
        _ => model.layers,
    };
    let all = model.trunk == 0 || WITH_CACHED_PREDICTION_LAYERS.contains(&model.arch) || run.mtp;
    let in_trunk = layer < model.trunk || all;
    let attends = match model.arch {
        "falcon-h1" => true,
        "nemotron_h" | "nemotron_h_moe" => {
            !model.is_recurrent(layer) && model.feed_forward.get(layer) == Some(&0)
        }
        _ => !model.is_recurrent(layer),
    };
    layer < own && in_trunk && attends
}

/// Returns the values per token of the widest layer. Without flash attention values are stored
/// transposed, and every layer is as wide as the widest.
fn max_values_per_token(model: &ModelShape<'_>) -> u64 {
    let values = |layer| {
        model
            .attention
            .values_per_token(layer, model.is_windowed(layer))
    };
    (0..model.layers).map(values).max().unwrap_or(0)
}
