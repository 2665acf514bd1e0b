//! Predicts the memory that a model needs, from its header alone.
//!
//! [`predict`] follows the allocations of llama.cpp b11434: weights from the tensor table, the KV
//! cache layer by layer, the state of recurrent layers, and an estimate of the compute buffers. The
//! arithmetic is pure: no header and no option causes a panic, and the work is bounded by the
//! number of tensors.
//!
//! Weights and caches are exact for architectures without special treatment in llama.cpp; the
//! compute buffers are an estimate, with the formula at [`predict`].

mod attention;
mod compute_buffers;
mod kv_cache;
mod memory_options;
mod model_shape;
mod prediction;
mod projector;
mod recurrent_state;
mod saturating;
mod server_arguments;
mod sliding_windows;
mod sparse_attention;
mod weights;

pub use memory_options::{GpuLayers, MemoryOptions};
pub use prediction::{DeviceSplit, LayerMemory, MemoryPrediction};
pub use projector::projector_bytes;

use crate::header::Header;
use model_shape::ModelShape;

/// The reason a prediction is impossible. Messages complete the sentence "the file …".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unpredictable {
    /// No header was given.
    #[error("has no parts")]
    NoParts,
    /// A required metadata key is missing or not an integer.
    #[error("has no metadata key `{0}`, without which its memory cannot be predicted")]
    Missing(String),
    /// The number of layers is zero or exceeds the 512 that llama.cpp b11434 reads.
    #[error("claims {0} layers; llama.cpp loads 1 to 512")]
    Layers(u64),
    /// The file is a projector for images or sound; see [`projector_bytes`].
    #[error("is a projector, which must be loaded together with a model")]
    Projector,
}

/// Predicts the memory that a model needs, given the headers of all its parts in order.
///
/// All figures are in bytes. The compute buffers are, per token of a physical batch and in floats,
/// the maximum of
///
/// - feed-forward: 3 × the widest inner layer + 5 × the embedding (with experts: inner width ×
///   experts used, or 2 × experts used × the embedding + 3 × the embedding);
/// - attention: 2 × queries + 2 × keys + 3 × the embedding; without flash attention also the
///   scores, heads × cells, and another embedding;
/// - recurrent layers: 6 × the channels + 3 × the embedding;
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

/// Returns the bytes of all tensors; tensors of unknown types count as empty.
pub fn tensor_bytes(parts: &[Header]) -> u64 {
    let tensors = parts.iter().flat_map(|part| &part.tensors);
    saturating::sum(tensors.map(|tensor| tensor.size.unwrap_or(0)))
}

#[cfg(test)]
mod tests;
