//! What a model takes in memory, told from its header alone.
//!
//! [`predict`] follows what llama.cpp b11434 allocates: the weights by the tensor table, the cache of
//! keys and values layer by layer, the state of recurrent layers, and an estimate of the buffers it
//! computes in. It is pure arithmetic: no header and no option makes it panic, and its work is bounded
//! by the number of tensors.
//!
//! Weights and caches are exact for the architectures llama.cpp treats in the usual way; the compute
//! buffers are an estimate whose formula [`predict`] states.

mod arguments;
mod attention;
mod cache;
mod compute;
mod model;
mod options;
mod prediction;
mod projector;
mod recurrent;
mod sizes;
mod sparse;
mod weights;
mod windows;

pub use options::{GpuLayers, Options};
pub use prediction::{Layer, Prediction, Split};
pub use projector::projector;

use crate::header::Header;
use model::Model;

/// Why nothing can be predicted. The messages complete the sentence "the file …".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unpredictable {
    /// There is no header at all.
    #[error("has no parts")]
    NoParts,
    /// A metadata key that every model has is not there, or is not a whole number.
    #[error("does not say `{0}`, without which its memory cannot be predicted")]
    Missing(String),
    /// The number of layers is none, or beyond the 512 that llama.cpp b11434 reads.
    #[error("claims {0} layers; llama.cpp loads 1 to 512")]
    Layers(u64),
    /// The file is a projector for images or sound, for which there is [`projector`].
    #[error("is a projector, which is loaded beside a model and not by itself")]
    Projector,
}

/// Predicts what a model takes, given the headers of all its parts in order; a whole file is one part.
///
/// All figures are in bytes. The compute buffers are, per token of a physical batch and in floats,
/// the greatest of
///
/// - feed-forward: 3 × the widest inner layer + 5 × the embedding (with experts: inner width ×
///   experts used, or 2 × experts used × the embedding + 3 × the embedding);
/// - attention: 2 × queries + 2 × keys + 3 × the embedding, without flash attention also the scores,
///   heads × cells, and one embedding more;
/// - recurrent layers: 6 × the channels + 3 × the embedding;
/// - output: the vocabulary for each token that has logits, + 5 × the embedding;
///
/// and the attention masks, cells × tokens, of two bytes with flash attention and four without. It was
/// fitted to llama.cpp b11434 on a CPU, where it is within 10 % for dense models, those with
/// experts, and Mamba; for other recurrent layers, and on devices, it is a guess.
///
/// # Errors
///
/// [`Unpredictable`], when the header lacks what llama.cpp needs to load the model.
pub fn predict(parts: &[Header], options: &Options) -> Result<Prediction, Unpredictable> {
    let first = parts.first().ok_or(Unpredictable::NoParts)?;
    let model = Model::read(first, parts)?;
    let run = options.resolve(&model);
    let weights = weights::by_place(parts, &model, options.mtp);
    let layers = weights
        .layers
        .iter()
        .enumerate()
        .map(|(index, weights)| Layer {
            weights: weights.all,
            experts: weights.experts,
            kv: cache::layer(&model, &run, index),
            recurrent: recurrent::layer(&model, &run, index),
        })
        .collect();
    let compute = compute::estimate(&model, &run);
    Ok(Prediction {
        layers,
        input: weights.input,
        output: weights.output,
        tied: weights.tied,
        compute: compute.whole,
        compute_inputs: compute.inputs,
        results: compute.results,
        kv_offload: options.kv_offload,
        cpu_experts: options.cpu_experts,
    })
}

/// Returns the bytes of all tensors, whatever they are for; a tensor of unknown type counts as empty.
pub fn tensors(parts: &[Header]) -> u64 {
    let tensors = parts.iter().flat_map(|part| &part.tensors);
    sizes::sum(tensors.map(|tensor| tensor.size.unwrap_or(0)))
}

#[cfg(test)]
mod tests;
