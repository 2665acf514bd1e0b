//! Limits on the numbers in a slot file.

/// Maximum number of tokens in a slot file: more than the context window of 10 Mi tokens of Llama 4 Scout.
pub const MAX_TOKENS: u32 = 1 << 24;

/// Maximum number of streams of a KV cache: `LLAMA_MAX_SEQ` (llama.cpp b11434, src/llama-cparams.h).
pub const MAX_STREAMS: u32 = 256;

/// Maximum number of layers of a model: `LLAMA_MAX_LAYERS` (llama.cpp b11434, src/llama-hparams.h).
pub const MAX_LAYERS: u32 = 512;

/// Maximum size of one cell in one layer, in bytes.
pub const MAX_ROW_SIZE: u64 = 1 << 28;

/// Maximum number of memory parts of a file. A hybrid model with a sliding window has three: full attention, window and
/// recurrent state.
pub const MAX_PARTS: usize = 3;
