//! Reads the attention heads of a model and their widths from the header.

use super::model_shape::ModelKeys;
use super::saturating::product;

/// Heads per layer, and their widths in elements.
#[derive(Debug)]
pub(super) struct Attention {
    /// Query heads of each layer.
    pub(super) heads: Vec<u64>,
    /// Key and value heads of each layer.
    pub(super) kv_heads: Vec<u64>,
    /// Width of a key head.
    key: u64,
    /// Width of a value head.
    value: u64,
    /// Width of a key head in layers with a sliding window.
    key_windowed: u64,
    /// Width of a value head in layers with a sliding window.
    value_windowed: u64,
    /// True if keys and values form one compressed vector, of which only the keys are cached (MLA).
    pub(super) is_compressed: bool,
}

impl Attention {
    /// Reads the heads as llama.cpp b11434 does (`llama_model_base::load_hparams`).
    pub(super) fn from_keys(keys: ModelKeys<'_>, layers: usize, embedding: u64) -> Self {
        let heads = keys.per_layer("attention.head_count", layers);
        let kv_heads = match keys.get("attention.head_count_kv") {
            Some(_) => keys.per_layer("attention.head_count_kv", layers),
            None => heads.clone(),
        };
        let first = heads.first().copied().unwrap_or(0);
        let width = |key| match embedding.checked_div(first) {
            Some(share) => keys.number(key).unwrap_or(share),
            None => 0,
        };
        let key = width("attention.key_length");
        let value = match keys.arch {
            // The cache stores the compressed vector; older files omit its length.
            "kimi-k3" | "glm5-next" => keys.number("attention.kv_lora_rank").unwrap_or(0),
            _ => width("attention.value_length"),
        };
        let is_positive = |key| keys.number(key).is_some_and(|length| length > 0);
        Self {
            heads,
            kv_heads,
            key,
            value,
            key_windowed: keys.number("attention.key_length_swa").unwrap_or(key),
            value_windowed: keys.number("attention.value_length_swa").unwrap_or(value),
            is_compressed: keys.arch == "deepseek4"
                || (is_positive("attention.key_length_mla")
                    && is_positive("attention.value_length_mla")),
        }
    }

    /// Returns the width of one key head.
    pub(super) fn key_width(&self, windowed: bool) -> u64 {
        if windowed {
            self.key_windowed
        } else {
            self.key
        }
    }

    /// Returns the width of one value head.
    pub(super) fn value_width(&self, windowed: bool) -> u64 {
        if windowed {
            self.value_windowed
        } else {
            self.value
        }
    }

    /// Returns the key elements per token in a layer.
    pub(super) fn keys_per_token(&self, layer: usize, windowed: bool) -> u64 {
        product([self.key_width(windowed), get_or_zero(&self.kv_heads, layer)])
    }

    /// Returns the value elements per token in a layer.
    pub(super) fn values_per_token(&self, layer: usize, windowed: bool) -> u64 {
        product([
            self.value_width(windowed),
            get_or_zero(&self.kv_heads, layer),
        ])
    }

    /// Returns the query elements per token in a layer.
    pub(super) fn queries_per_token(&self, layer: usize, windowed: bool) -> u64 {
        product([self.key_width(windowed), get_or_zero(&self.heads, layer)])
    }
}

pub(super) fn get_or_zero(numbers: &[u64], layer: usize) -> u64 {
    numbers.get(layer).copied().unwrap_or(0)
}
