//! Reads the shape of a model (its layers and their widths) from the header, with llama.cpp's
//! defaults.

use super::attention::Attention;
use super::sliding_windows::{self, SlidingWindows};
use super::{Unpredictable, recurrent_state};
use crate::header::Header;
use crate::value::Value;

/// Limit on layers (llama.cpp b11434, `src/llama-hparams.h`, `LLAMA_MAX_LAYERS`).
const MAX_LAYERS: u64 = 512;

/// Architectures for which llama.cpp creates no cache (b11434, `llama_model::create_memory`).
const WITHOUT_MEMORY: [&str; 15] = [
    "bert",
    "jina-bert-v2",
    "jina-bert-v3",
    "nomic-bert",
    "nomic-bert-moe",
    "neo-bert",
    "eurobert",
    "wavtokenizer-dec",
    "modern-bert",
    "gemma-embedding",
    "dream",
    "llada",
    "llada-moe",
    "rnd1",
    "clef",
];

/// Architectures without a vocabulary output.
const ENCODERS: [&str; 10] = [
    "bert",
    "jina-bert-v2",
    "jina-bert-v3",
    "nomic-bert",
    "nomic-bert-moe",
    "neo-bert",
    "eurobert",
    "modern-bert",
    "gemma-embedding",
    "t5encoder",
];

/// The shape of a model.
#[derive(Debug)]
pub(super) struct ModelShape<'a> {
    pub(super) header: &'a Header,
    pub(super) arch: &'a str,
    /// All layers.
    pub(super) layers: usize,
    /// The layers before the multi-token prediction layers, which come last.
    pub(super) trunk: usize,
    /// The trained context in tokens.
    pub(super) context: u64,
    /// The width of the embedding.
    pub(super) embedding: u64,
    /// The number of tokens in the vocabulary.
    pub(super) vocabulary: u64,
    /// True if a token attends only to earlier tokens.
    pub(super) causal: bool,
    pub(super) attention: Attention,
    pub(super) feed_forward: Vec<u64>,
    pub(super) windows: Option<SlidingWindows>,
    pub(super) recurrent: Vec<bool>,
}

impl<'a> ModelShape<'a> {
    pub(super) fn from_header(header: &'a Header, parts: &[Header]) -> Result<Self, Unpredictable> {
        let arch = header
            .architecture()
            .ok_or_else(|| Unpredictable::Missing("general.architecture".to_owned()))?;
        if arch == "clip" {
            return Err(Unpredictable::Projector);
        }
        let keys = ModelKeys { header, arch };
        let layer_count = keys.require_number("block_count")?;
        let layers = usize::try_from(layer_count)
            .ok()
            .filter(|_| (1..=MAX_LAYERS).contains(&layer_count))
            .ok_or(Unpredictable::Layers(layer_count))?;
        let embedding = keys.require_number("embedding_length")?;
        let prediction_layers = keys.number("nextn_predict_layers").unwrap_or(0);
        let prediction_layers = usize::try_from(prediction_layers)
            .map_or(layers, |prediction_layers| prediction_layers.min(layers));
        let trunk = layers - prediction_layers;
        let attention = Attention::from_keys(keys, layers, embedding);
        let feed_forward = keys.per_layer("feed_forward_length", layers);
        let recurrent =
            recurrent_state::recurrent_layers(keys, &attention, &feed_forward, (layers, trunk));
        Ok(Self {
            header,
            arch,
            layers,
            trunk,
            context: keys.require_number("context_length")?,
            embedding,
            vocabulary: vocabulary_size(keys, parts),
            causal: keys.flag("attention.causal").unwrap_or(true),
            windows: sliding_windows::read_windows(keys, (layers, trunk), &recurrent),
            attention,
            feed_forward,
            recurrent,
        })
    }

    pub(super) fn keys(&self) -> ModelKeys<'a> {
        ModelKeys {
            header: self.header,
            arch: self.arch,
        }
    }

    pub(super) fn has_memory(&self) -> bool {
        !WITHOUT_MEMORY.contains(&self.arch)
    }

    pub(super) fn is_encoder(&self) -> bool {
        ENCODERS.contains(&self.arch)
    }

    pub(super) fn is_windowed(&self, layer: usize) -> bool {
        let windows = self.windows.as_ref();
        windows.is_some_and(|windows| windows.layers.get(layer) == Some(&true))
    }

    pub(super) fn is_recurrent(&self, layer: usize) -> bool {
        self.recurrent.get(layer) == Some(&true)
    }
}

/// Returns the vocabulary size as llama.cpp determines it: from the tokenizer, else from the
/// embedding tensor.
fn vocabulary_size(keys: ModelKeys<'_>, parts: &[Header]) -> u64 {
    let tokens = match keys.header.get("tokenizer.ggml.tokens") {
        Some(Value::SkippedArray { len, .. }) => Some(*len),
        Some(Value::Array(tokens)) => Some(tokens.len() as u64),
        _ => None,
    };
    let embedding = || {
        let mut tensors = parts.iter().flat_map(|part| &part.tensors);
        let tensor = tensors.find(|tensor| tensor.name == "token_embd.weight")?;
        tensor.dims.get(1).copied()
    };
    tokens
        .filter(|&tokens| tokens > 0)
        .or_else(|| keys.number("vocab_size"))
        .or_else(embedding)
        .unwrap_or(0)
}

/// Reads metadata keys that start with the architecture's name.
#[derive(Debug, Clone, Copy)]
pub(super) struct ModelKeys<'a> {
    pub(super) header: &'a Header,
    pub(super) arch: &'a str,
}

impl<'a> ModelKeys<'a> {
    pub(super) fn get(self, key: &str) -> Option<&'a Value> {
        self.header.get(&format!("{}.{key}", self.arch))
    }

    pub(super) fn number(self, key: &str) -> Option<u64> {
        self.get(key)?.as_u64()
    }

    pub(super) fn flag(self, key: &str) -> Option<bool> {
        self.get(key).and_then(to_bool)
    }

    fn require_number(self, key: &str) -> Result<u64, Unpredictable> {
        let missing = || Unpredictable::Missing(format!("{}.{key}", self.arch));
        self.number(key).ok_or_else(missing)
    }

    /// Returns a key's array of booleans.
    pub(super) fn flags(self, key: &str) -> Option<Vec<bool>> {
        match self.get(key)? {
            Value::Array(values) => Some(values.iter().map(|v| to_bool(v) == Some(true)).collect()),
            _ => None,
        }
    }

    /// Returns a number for each layer, from a scalar or an array; 0 if the key is missing.
    pub(super) fn per_layer(self, key: &str, layers: usize) -> Vec<u64> {
        let mut numbers = match self.get(key) {
            Some(Value::Array(values)) => values.iter().map(|v| v.as_u64().unwrap_or(0)).collect(),
            Some(value) => vec![value.as_u64().unwrap_or(0); layers],
            None => Vec::new(),
        };
        numbers.resize(layers, 0);
        numbers
    }
}

fn to_bool(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(yes) => Some(*yes),
        other => other.as_u64().map(|number| number != 0),
    }
}
