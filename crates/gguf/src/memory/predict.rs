//! Combines the parts of a memory prediction: weights, caches, states and buffers.

use super::model_shape::ModelShape;
use super::{
    Header, LayerMemory, MemoryOptions, MemoryPrediction, Unpredictable, compute_buffers, kv_cache,
    recurrent_state, weights,
};

/// Predicts the memory that a model needs, given the headers of all its parts in order.
///
/// All figures are in bytes. The compute buffers are, per token of a physical batch and in floats,
/// the maximum of
///
/// - feed-forward: 3 × the widest inner layer + 5 × the embedding (with experts: inner width ×
///   experts used, or 2 × experts used × the embedding + 3 × the embedding);
/// - attention: 2 × queries + 2 × keys + 3 × the embedding; without flash attention also the
///   scores, heads × cells, and another embedding;
/// - recurrent layers: 6 × the channels (or the embedding, if wider) + 3 × the embedding;
/// - output: the vocabulary for each token with logits, + 5 × the embedding;
///
/// plus the attention masks, cells × tokens, of two bytes with flash attention and four without.
/// The formula was fitted to llama.cpp b11434 on a CPU. There it is within 10 % for dense models,
/// models with experts, and Mamba; for other recurrent layers, and on devices, it is a guess.
///
/// # Errors
///
/// [`Unpredictable`] if the header lacks a value that llama.cpp needs to load the model.
pub fn predict(
    parts: &[Header],
    options: &MemoryOptions,
) -> Result<MemoryPrediction, Unpredictable> {
    let first = parts.first().ok_or(Unpredictable::NoParts)?;
    let model = ModelShape::from_header(first, parts)?;
    let run = options.resolve(&model);
    let weights = weights::assign_tensors(parts, &model, options.mtp);
    let layers = weights
        .layers
        .iter()
        .enumerate()
        .map(|(index, weights)| LayerMemory {
            weights: weights.all,
            experts: weights.experts,
            kv: kv_cache::layer_bytes(&model, &run, index),
            recurrent: recurrent_state::layer_bytes(&model, &run, index),
        })
        .collect();
    let compute = compute_buffers::estimate(&model, &run);
    Ok(MemoryPrediction {
        layers,
        input: weights.input,
        output: weights.output,
        tied: weights.tied,
        compute: compute.total,
        compute_inputs: compute.inputs,
        results: compute.results,
        kv_offload: options.kv_offload,
        cpu_experts: options.cpu_experts,
    })
}
