//! Estimates llama.cpp's compute buffers, the memory for the intermediate results of one batch.

use super::attention::get_or_zero;
use super::kv_cache;
use super::memory_options::ResolvedOptions;
use super::model_shape::ModelShape;
use super::saturating::{product, sum};

/// Buffer sizes in bytes.
#[derive(Debug)]
pub(super) struct ComputeBuffers {
    /// The whole buffers, if one device computes everything.
    pub(super) total: u64,
    /// The host's share if a device computes everything.
    pub(super) inputs: u64,
    /// The results that the server reads.
    pub(super) results: u64,
}

/// Size of a 32-bit float.
const FLOAT_BYTES: u64 = 4;

/// Estimates the buffers by the formula documented at [`super::predict`].
pub(super) fn estimate(model: &ModelShape<'_>, run: &ResolvedOptions) -> ComputeBuffers {
    let outputs = if model.is_encoder() { 0 } else { run.outputs };
    let masks = mask_bytes(model, run);
    let stages = (0..model.layers)
        .map(|layer| attention_floats(model, run, layer).max(feed_forward_floats(model, layer)))
        .max()
        .unwrap_or(0);
    let logits = product([outputs, model.vocabulary]);
    let output = logits.saturating_add(product([5, model.embedding, run.tokens]));
    let floats = product([stages, run.tokens]).max(output);
    let results = product([model.vocabulary, run.sequences, FLOAT_BYTES]);
    let embedded = if run.embeddings {
        product([model.embedding, run.sequences, FLOAT_BYTES])
    } else {
        0
    };
    ComputeBuffers {
        total: product([floats, FLOAT_BYTES]).saturating_add(masks),
        inputs: product([model.embedding, run.tokens, FLOAT_BYTES]).saturating_add(masks),
        results: results.saturating_add(embedded),
    }
}

/// Returns the bytes of the attention masks: one mask for full layers, one for windowed layers.
fn mask_bytes(model: &ModelShape<'_>, run: &ResolvedOptions) -> u64 {
    let width = if run.flash { 2 } else { 4 };
    let mask = |cells| product([cells, run.tokens, width]);
    if !model.has_memory() {
        return mask(run.tokens);
    }
    let any = |windowed| {
        let mut layers = 0..model.layers;
        layers.any(|layer| !model.is_recurrent(layer) && model.is_windowed(layer) == windowed)
    };
    let bytes_of = |windowed| {
        if any(windowed) {
            mask(kv_cache::cells_per_stream(model, run, windowed))
        } else {
            0
        }
    };
    bytes_of(false).saturating_add(bytes_of(true))
}

/// Returns the floats per token of a layer's attention.
fn attention_floats(model: &ModelShape<'_>, run: &ResolvedOptions, layer: usize) -> u64 {
    let windowed = model.is_windowed(layer);
    let attention = &model.attention;
    let embedding = model.embedding;
    if model.is_recurrent(layer) {
        return recurrent_floats(model);
    }
    let queries = attention.queries_per_token(layer, windowed);
    let keys = attention.keys_per_token(layer, windowed);
    let steady = sum([
        product([2, queries]),
        product([2, keys]),
        product([3, embedding]),
    ]);
    if run.flash {
        return steady;
    }
    let cells = if model.has_memory() {
        kv_cache::cells_per_stream(model, run, windowed)
    } else {
        run.tokens
    };
    let scores = product([get_or_zero(&attention.heads, layer), cells]);
    sum([steady, scores, embedding])
}

/// Returns the floats per token of a recurrent layer, by Mamba's formula.
fn recurrent_floats(model: &ModelShape<'_>) -> u64 {
    let keys = model.keys();
    let number = |key| keys.number(key).unwrap_or(0);
    let channels = sum([
        number("ssm.inner_size"),
        product([2, number("ssm.group_count"), number("ssm.state_size")]),
    ]);
    let projected = product([6, channels.max(model.embedding)]);
    projected.saturating_add(product([3, model.embedding]))
}

/// Returns the floats per token of a layer's feed-forward network.
fn feed_forward_floats(model: &ModelShape<'_>, layer: usize) -> u64 {
    let embedding = model.embedding;
    let floats = |inner| product([3, inner]).saturating_add(product([5, embedding]));
    let dense = floats(get_or_zero(&model.feed_forward, layer));
    let keys = model.keys();
    let used = get_or_zero(&keys.per_layer("expert_used_count", model.layers), layer);
    if used == 0 {
        return dense;
    }
    let inner = get_or_zero(
        &keys.per_layer("expert_feed_forward_length", model.layers),
        layer,
    );
    let routed = product([2, used, embedding]).saturating_add(product([3, embedding]));
    dense.max(floats(product([used, inner]))).max(routed)
}
