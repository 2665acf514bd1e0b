//! An estimate of the buffers the engine computes in.

use super::attention::at;
use super::cache;
use super::model::Model;
use super::options::Run;
use super::sizes::{product, sum};

/// Bytes of buffers.
#[derive(Debug)]
pub(super) struct Compute {
    /// Where all of it is computed in one place.
    pub(super) whole: u64,
    /// What the host needs of it to feed a device that computes everything.
    pub(super) inputs: u64,
    /// Where the results lie for the server to read.
    pub(super) results: u64,
}

const FLOAT: u64 = 4;

/// Estimates as the documentation of [`super::predict`] states it.
pub(super) fn estimate(model: &Model<'_>, run: &Run) -> Compute {
    let outputs = if model.is_encoder() { 0 } else { run.outputs };
    let masks = masks(model, run);
    let stages = (0..model.layers)
        .map(|layer| attention(model, run, layer).max(feed_forward(model, layer)))
        .max()
        .unwrap_or(0);
    let logits = product([outputs, model.vocabulary]);
    let output = logits.saturating_add(product([5, model.embedding, run.tokens]));
    let floats = product([stages, run.tokens]).max(output);
    let results = product([model.vocabulary, run.sequences, FLOAT]);
    let embedded = if run.embeddings {
        product([model.embedding, run.sequences, FLOAT])
    } else {
        0
    };
    Compute {
        whole: product([floats, FLOAT]).saturating_add(masks),
        inputs: product([model.embedding, run.tokens, FLOAT]).saturating_add(masks),
        results: results.saturating_add(embedded),
    }
}

/// The masks that say which token sees which cell: one for full layers, one for those with a window.
fn masks(model: &Model<'_>, run: &Run) -> u64 {
    let width = if run.flash { 2 } else { 4 };
    let mask = |cells| product([cells, run.tokens, width]);
    if !model.has_memory() {
        return mask(run.tokens);
    }
    let any = |windowed| {
        let mut layers = 0..model.layers;
        layers.any(|layer| !model.is_recurrent(layer) && model.is_windowed(layer) == windowed)
    };
    let of = |windowed| {
        if any(windowed) {
            mask(cache::cells(model, run, windowed))
        } else {
            0
        }
    };
    of(false).saturating_add(of(true))
}

/// Floats per token while a layer attends.
fn attention(model: &Model<'_>, run: &Run, layer: usize) -> u64 {
    let windowed = model.is_windowed(layer);
    let attention = &model.attention;
    let embedding = model.embedding;
    if model.is_recurrent(layer) {
        return recurrent(model);
    }
    let queries = attention.queries(layer, windowed);
    let keys = attention.keys(layer, windowed);
    let steady = sum([
        product([2, queries]),
        product([2, keys]),
        product([3, embedding]),
    ]);
    if run.flash {
        return steady;
    }
    let cells = if model.has_memory() {
        cache::cells(model, run, windowed)
    } else {
        run.tokens
    };
    let scores = product([at(&attention.heads, layer), cells]);
    sum([steady, scores, embedding])
}

/// Floats per token in a recurrent layer, as Mamba takes them.
fn recurrent(model: &Model<'_>) -> u64 {
    let keys = model.keys();
    let number = |key| keys.number(key).unwrap_or(0);
    let channels = sum([
        number("ssm.inner_size"),
        product([2, number("ssm.group_count"), number("ssm.state_size")]),
    ]);
    let projected = product([6, channels.max(model.embedding)]);
    projected.saturating_add(product([3, model.embedding]))
}

/// Floats per token in a layer's feed-forward part.
fn feed_forward(model: &Model<'_>, layer: usize) -> u64 {
    let embedding = model.embedding;
    let within = |inner| product([3, inner]).saturating_add(product([5, embedding]));
    let dense = within(at(&model.feed_forward, layer));
    let keys = model.keys();
    let used = at(&keys.per_layer("expert_used_count", model.layers), layer);
    if used == 0 {
        return dense;
    }
    let inner = at(
        &keys.per_layer("expert_feed_forward_length", model.layers),
        layer,
    );
    let apart = product([2, used, embedding]).saturating_add(product([3, embedding]));
    dense.max(within(product([used, inner]))).max(apart)
}
