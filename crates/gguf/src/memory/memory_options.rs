//! Holds the llama-server options that affect memory, and applies the model's defaults to them.

use super::model_shape::ModelShape;
use super::saturating::{pad_cells, product};
use crate::ggml_type::GgmlType;

/// The number of layers on devices, counted from the last; the output counts as another layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GpuLayers {
    /// All layers: llama-server's `all`, and its `auto` if they fit.
    All,
    /// At most this number.
    Count(u32),
}

/// The engine options that affect memory.
///
/// The default corresponds to `llama-server --parallel 1` with llama-server's defaults for
/// everything else (llama.cpp b11434, `common/common.h`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryOptions {
    /// Context tokens of all slots together; 0 means the trained context.
    pub context: u32,
    /// Slots; 0 means the engine's own choice, four slots with a unified cache.
    pub parallel: u32,
    /// True if the slots share one cache; otherwise the context is divided between them.
    pub kv_unified: bool,
    /// Context tokens per slot if `context` is 0; 0 means no such limit.
    pub context_per_slot: u32,
    /// The type of cached keys.
    pub cache_type_k: GgmlType,
    /// The type of cached values.
    pub cache_type_v: GgmlType,
    /// True if layers with a sliding window cache the whole context.
    pub swa_full: bool,
    /// Tokens of a logical batch.
    pub batch: u32,
    /// Tokens of a physical batch; 0 means the logical batch size.
    pub ubatch: u32,
    /// True with flash attention; llama-server's `auto` enables it wherever the device supports it.
    pub flash_attention: bool,
    /// The layers on devices, if any device exists.
    pub gpu_layers: GpuLayers,
    /// True if each layer's cache is on the layer's device; otherwise caches are in host memory.
    pub kv_offload: bool,
    /// Number of layers, from the first, whose experts stay in host memory.
    pub cpu_experts: u32,
    /// True if the engine serves embeddings, which produce an output for every token.
    pub embeddings: bool,
    /// True if the multi-token prediction layers are loaded.
    pub mtp: bool,
}

impl Default for MemoryOptions {
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

/// The options with the model's defaults applied, as `llama_context` does.
#[derive(Debug)]
pub(super) struct ResolvedOptions {
    /// Cache cells per stream.
    pub(super) cells: u64,
    /// Number of separate caches.
    pub(super) streams: u64,
    pub(super) sequences: u64,
    /// Tokens of a physical batch.
    pub(super) tokens: u64,
    /// Tokens of one batch with logits.
    pub(super) outputs: u64,
    /// The physical batch size, which sliding windows are extended by.
    pub(super) ubatch: u64,
    pub(super) unified: bool,
    pub(super) type_k: GgmlType,
    pub(super) type_v: GgmlType,
    pub(super) swa_full: bool,
    pub(super) flash: bool,
    pub(super) embeddings: bool,
    pub(super) mtp: bool,
}

/// llama-server's automatic number of slots (b11434, `tools/server/server.cpp`).
const AUTOMATIC_SLOTS: u64 = 4;

impl MemoryOptions {
    pub(super) fn resolve(&self, model: &ModelShape<'_>) -> ResolvedOptions {
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
        // A batch with causal attention never exceeds the context.
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
            (pad_cells(context), 1)
        } else {
            (pad_cells(pad_cells(context) / sequences), sequences)
        };
        let tokens = ubatch.min(cells.saturating_mul(streams));
        let every_token = self.embeddings || model.is_encoder();
        ResolvedOptions {
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
