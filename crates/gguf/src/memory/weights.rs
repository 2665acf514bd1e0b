//! Which tensors belong where.

use super::model::Model;
use crate::header::Header;

/// The bytes of weights by the place that llama.cpp gives them.
#[derive(Debug)]
pub(super) struct Weights {
    /// Looked up for each token; always in the host's memory.
    pub(super) input: u64,
    pub(super) layers: Vec<LayerWeights>,
    pub(super) output: u64,
    /// The part of `input` that serves as output too.
    pub(super) tied: u64,
}

#[derive(Debug, Clone, Default)]
pub(super) struct LayerWeights {
    pub(super) all: u64,
    pub(super) experts: u64,
}

/// What is looked up by row (llama.cpp b11434, `LLM_TENSOR_LAYER_INPUT` in `src/llama-arch.cpp`).
const INPUT: [&str; 4] = [
    "token_embd.",
    "per_layer_token_embd.",
    "position_embd.",
    "token_types.",
];

/// The same expression as llama.cpp's for experts, `ffn_(up|down|gate|gate_up)_(ch|)exps`, by its parts.
const EXPERTS: [&str; 2] = ["_exps", "_chexps"];

/// Architectures that skip the layers which predict several tokens at once unless asked for them
/// (b11434, `load_mtp` in `src/models/*.cpp`).
const SKIPPING: [&str; 16] = [
    "bailingmoe3",
    "cohere2moe",
    "deepseek2",
    "deepseek32",
    "deepseek4",
    "glm-dsa",
    "glm4moe",
    "glm5-next",
    "hy_v3",
    "mimo2",
    "nemotron_h_moe",
    "qwen35",
    "qwen35moe",
    "qwen3next",
    "qwen4exp",
    "step35",
];

pub(super) fn by_place(parts: &[Header], model: &Model<'_>, mtp: bool) -> Weights {
    let mut weights = Weights {
        input: 0,
        layers: vec![LayerWeights::default(); model.layers],
        output: 0,
        tied: 0,
    };
    let skips = !mtp && model.trunk > 0 && SKIPPING.contains(&model.arch);
    let mut embedding = 0;
    let mut has_output = false;
    for tensor in parts.iter().flat_map(|part| &part.tensors) {
        let size = tensor.size.unwrap_or(0);
        let name = tensor.name.as_str();
        match layer(name) {
            Some(index) if skips && index >= model.trunk => {}
            // llama.cpp does not read layers beyond the last.
            Some(index) => {
                if let Some(layer) = weights.layers.get_mut(index) {
                    layer.add(name, size);
                }
            }
            None if INPUT.iter().any(|prefix| name.starts_with(prefix)) => {
                weights.input = weights.input.saturating_add(size);
                if name == "token_embd.weight" {
                    embedding = size;
                }
            }
            None => weights.output = weights.output.saturating_add(size),
        }
        has_output |= name == "output.weight";
    }
    if !has_output && !model.is_encoder() {
        weights.tied = embedding;
    }
    weights
}

impl LayerWeights {
    fn add(&mut self, name: &str, size: u64) {
        self.all = self.all.saturating_add(size);
        if EXPERTS.iter().any(|part| name.contains(part)) {
            self.experts = self.experts.saturating_add(size);
        }
    }
}

/// Returns the layer of `blk.N.…`, also after `enc.` or `dec.`.
fn layer(name: &str) -> Option<usize> {
    let name = name
        .strip_prefix("enc.")
        .or(name.strip_prefix("dec."))
        .unwrap_or(name);
    let (number, _) = name.strip_prefix("blk.")?.split_once('.')?;
    number.parse().ok()
}
