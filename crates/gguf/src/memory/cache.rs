//! The cache of keys and values, layer by layer.

use super::model::Model;
use super::options::Run;
use super::sizes::{pad, product, row};
use super::sparse;

/// Returns the bytes of a layer's cache.
pub(super) fn layer(model: &Model<'_>, run: &Run, layer: usize) -> u64 {
    if !model.has_memory() || model.arch == "gemma4-assistant" {
        return 0;
    }
    if model.arch == "deepseek4" {
        return sparse::compressed(model, run, layer);
    }
    if !has_cache(model, run, layer) {
        return 0;
    }
    let windowed = model.is_windowed(layer);
    let cells = cells(model, run, windowed);
    let attention = &model.attention;
    let keys = row(run.type_k, attention.keys(layer, windowed));
    let values = if attention.compressed {
        0
    } else if run.flash {
        row(run.type_v, attention.values(layer, windowed))
    } else {
        row(run.type_v, widest_values(model))
    };
    let whole = product([keys.saturating_add(values), cells, run.streams]);
    let loops = model
        .keys()
        .number("num_loops")
        .filter(|_| model.arch == "nanbeige");
    let whole = whole.saturating_mul(loops.unwrap_or(1));
    whole.saturating_add(sparse::indexer(model, run, layer))
}

/// Returns the cells of one stream of a layer (b11434, `src/llama-kv-cache-iswa.cpp`).
///
/// The window is that of all sequences where they share a cache, has room for a batch more, and is
/// padded; it is never longer than the context.
pub(super) fn cells(model: &Model<'_>, run: &Run, windowed: bool) -> u64 {
    let Some(windows) = model.windows.as_ref().filter(|_| windowed && !run.swa_full) else {
        return run.cells;
    };
    let sequences = if run.unified { run.sequences } else { 1 };
    let window = product([windows.tokens, sequences]).saturating_add(run.ubatch);
    pad(run.cells.min(window))
}

/// Architectures that cache the layers which predict several tokens at once in any case.
const ALL_LAYERS: [&str; 2] = ["hy_v4", "minimax-m3"];

/// Whether a layer has a cache of its own (b11434, `llama_model::create_memory` and `has_kv`).
fn has_cache(model: &Model<'_>, run: &Run, layer: usize) -> bool {
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
    let all = model.trunk == 0 || ALL_LAYERS.contains(&model.arch) || run.mtp;
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

/// Without flash attention the values lie across the cells, and all layers' as wide as the widest.
fn widest_values(model: &Model<'_>) -> u64 {
    let values = |layer| model.attention.values(layer, model.is_windowed(layer));
    (0..model.layers).map(values).max().unwrap_or(0)
}
