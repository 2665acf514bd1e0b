//! The heads of a model's attention and how wide they are.

use super::model::Keys;
use super::sizes::product;

/// Heads per layer and their widths, in elements.
#[derive(Debug)]
pub(super) struct Attention {
    pub(super) heads: Vec<u64>,
    pub(super) kv_heads: Vec<u64>,
    key: u64,
    value: u64,
    key_windowed: u64,
    value_windowed: u64,
    /// Whether keys and values are one compressed vector, of which only the keys are cached.
    pub(super) compressed: bool,
}

impl Attention {
    /// Reads it as llama.cpp b11434, `llama_model_base::load_hparams`.
    pub(super) fn read(keys: Keys<'_>, layers: usize, embedding: u64) -> Self {
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
            // The cache holds the compressed vector; older files do not say how long it is.
            "kimi-k3" | "glm5-next" => keys.number("attention.kv_lora_rank").unwrap_or(0),
            _ => width("attention.value_length"),
        };
        let given = |key| keys.number(key).is_some_and(|length| length > 0);
        Self {
            heads,
            kv_heads,
            key,
            value,
            key_windowed: keys.number("attention.key_length_swa").unwrap_or(key),
            value_windowed: keys.number("attention.value_length_swa").unwrap_or(value),
            compressed: keys.arch == "deepseek4"
                || (given("attention.key_length_mla") && given("attention.value_length_mla")),
        }
    }

    /// The width of one key head.
    pub(super) fn key(&self, windowed: bool) -> u64 {
        if windowed {
            self.key_windowed
        } else {
            self.key
        }
    }

    /// The width of one value head.
    pub(super) fn value(&self, windowed: bool) -> u64 {
        if windowed {
            self.value_windowed
        } else {
            self.value
        }
    }

    /// The keys of a token in a layer.
    pub(super) fn keys(&self, layer: usize, windowed: bool) -> u64 {
        product([self.key(windowed), at(&self.kv_heads, layer)])
    }

    /// The values of a token in a layer.
    pub(super) fn values(&self, layer: usize, windowed: bool) -> u64 {
        product([self.value(windowed), at(&self.kv_heads, layer)])
    }

    /// The queries of a token in a layer.
    pub(super) fn queries(&self, layer: usize, windowed: bool) -> u64 {
        product([self.key(windowed), at(&self.heads, layer)])
    }
}

pub(super) fn at(numbers: &[u64], layer: usize) -> u64 {
    numbers.get(layer).copied().unwrap_or(0)
}
