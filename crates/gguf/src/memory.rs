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
mod device_split;
mod kv_cache;
mod memory_options;
mod model_shape;
mod predict;
mod projector;
mod recurrent_state;
mod saturating;
mod server_arguments;
mod sliding_windows;
mod sparse_attention;
mod weights;

pub use device_split::{DeviceSplit, LayerMemory, MemoryPrediction};
pub use memory_options::{GpuLayers, MemoryOptions};
pub use predict::predict;
pub use projector::projector_bytes;

use crate::header::Header;

/// The reason a prediction is impossible. Messages complete the sentence "the file …".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unpredictable {
    /// No header was given.
    #[error("has no parts")]
    NoParts,
    /// A required metadata key is missing or not an integer.
    #[error("lacks the metadata key `{0}`, which is needed to predict its memory use")]
    Missing(String),
    /// The number of layers is zero or exceeds the 512 that llama.cpp b11434 reads.
    #[error("claims {0} layers; llama.cpp supports 1 to 512")]
    Layers(u64),
    /// The file is a projector for images or sound; see [`projector_bytes`].
    #[error("is a projector, which must be loaded together with a model")]
    Projector,
}

/// Returns the bytes of all tensors; tensors of unknown types count as empty.
pub fn tensor_bytes(parts: &[Header]) -> u64 {
    let tensors = parts.iter().flat_map(|part| &part.tensors);
    saturating::sum(tensors.map(|tensor| tensor.size.unwrap_or(0)))
}

#[cfg(test)]
mod tests;
