//! How the engine is started, as far as memory depends on it.

use super::model::Model;
use super::sizes::{pad, product};
use crate::ggml::GgmlType;

/// How many layers go to a device, counted from the last; the output counts as one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GpuLayers {
    /// All of them: llama-server's `all`, and its `auto` where they fit.
    All,
    /// This many at most.
    Count(u32),
}

/// How the engine is started, as far as memory depends on it.
///
/// The default is what `llama-server --parallel 1` does, with its own defaults for everything else
/// (llama.cpp b11434, `common/common.h`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Tokens of context for all slots together; 0 is what the model was trained with.
    pub context: u32,
    /// Slots; 0 is the engine's own choice, four that share one cache.
    pub parallel: u32,
    /// Whether the slots share one cache; otherwise the context is divided between them.
    pub kv_unified: bool,
    /// Tokens of context for each slot, where `context` is 0; 0 is no such limit.
    pub context_per_slot: u32,
    /// The type of cached keys.
    pub cache_type_k: GgmlType,
    /// The type of cached values.
    pub cache_type_v: GgmlType,
    /// Whether layers with a sliding window keep the whole context.
    pub swa_full: bool,
    /// Tokens of a logical batch.
    pub batch: u32,
    /// Tokens of a physical batch; 0 is as many as in a logical one.
    pub ubatch: u32,
    /// Whether flash attention is on; llama-server's `auto` is, wherever the device can.
    pub flash_attention: bool,
    /// How many layers go to a device, if there is one.
    pub gpu_layers: GpuLayers,
    /// Whether the cache of a layer is where the layer is; otherwise it is in the host's memory.
    pub kv_offload: bool,
    /// In how many layers, from the first, the experts' weights stay in the host's memory.
    pub cpu_experts: u32,
    /// Whether it serves embeddings, and so puts out something for every token.
    pub embeddings: bool,
    /// Whether the layers that predict several tokens at once are loaded.
    pub mtp: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            context: 0,
            parallel: 1,
            kv_unified: false,
            context_per_slot: 0,
            cache_type_k: GgmlType::F16,
            cache_type_v: GgmlType::F16,
            swa_full: false,
            batch: 2048,
            ubatch: 512,
            flash_attention: true,
            gpu_layers: GpuLayers::All,
            kv_offload: true,
            cpu_experts: 0,
            embeddings: false,
            mtp: false,
        }
    }
}

/// The options with the model's own values put in, as `llama_context` does it.
#[derive(Debug)]
pub(super) struct Run {
    /// Cells of the cache in each stream.
    pub(super) cells: u64,
    /// How many caches there are beside each other.
    pub(super) streams: u64,
    pub(super) sequences: u64,
    /// Tokens of a physical batch.
    pub(super) tokens: u64,
    /// Tokens of one batch that have logits.
    pub(super) outputs: u64,
    /// The physical batch size by which sliding windows are enlarged.
    pub(super) ubatch: u64,
    pub(super) unified: bool,
    pub(super) type_k: GgmlType,
    pub(super) type_v: GgmlType,
    pub(super) swa_full: bool,
    pub(super) flash: bool,
    pub(super) embeddings: bool,
    pub(super) mtp: bool,
}

/// What `llama-server` starts when it may choose (b11434, `tools/server/server.cpp`).
const AUTOMATIC_SLOTS: u64 = 4;

impl Options {
    pub(super) fn resolve(&self, model: &Model<'_>) -> Run {
        let automatic = self.parallel == 0;
        let unified = self.kv_unified || automatic;
        let sequences = if automatic {
            AUTOMATIC_SLOTS
        } else {
            self.parallel.into()
        };
        let context = match (self.context, self.context_per_slot) {
            (0, 0) => model.context,
            (0, each) => product([each.into(), sequences]),
            (all, _) => all.into(),
        };
        let batch = u64::from(if self.embeddings {
            self.batch.min(self.ubatch)
        } else {
            self.batch
        });
        // A batch with causal attention is no longer than the context.
        let batch = if model.causal {
            batch.min(context)
        } else {
            batch
        };
        let ubatch = match self.ubatch {
            0 => batch,
            tokens => batch.min(tokens.into()),
        };
        let (cells, streams) = if unified {
            (pad(context), 1)
        } else {
            (pad(pad(context) / sequences), sequences)
        };
        let tokens = ubatch.min(cells.saturating_mul(streams));
        let every_token = self.embeddings || model.is_encoder();
        Run {
            cells,
            streams,
            sequences,
            tokens,
            outputs: if every_token {
                tokens
            } else {
                tokens.min(sequences)
            },
            ubatch,
            unified,
            type_k: self.cache_type_k,
            type_v: self.cache_type_v,
            swa_full: self.swa_full,
            flash: self.flash_attention,
            embeddings: self.embeddings,
            mtp: self.mtp,
        }
    }
}
