//! Adds up the sizes of the weight tensors, separately for the input, each layer and the output.

use super::model_shape::ModelShape;
use crate::header::Header;

/// Bytes of weights, by the part of the model that llama.cpp assigns them to.
#[derive(Debug)]
pub(super) struct TensorWeights {
    /// Tables from which each token reads rows, such as the embedding; always in host memory.
    pub(super) input: u64,
    /// Weights of each layer.
    pub(super) layers: Vec<LayerWeights>,
    /// Weights after the last layer, and weights of no layer.
    pub(super) output: u64,
    /// The part of `input` that is also the output.
    pub(super) tied: u64,
}

/// Bytes of the weights of one layer.
#[derive(Debug, Clone, Default)]
pub(super) struct LayerWeights {
    /// All weights.
    pub(super) all: u64,
    /// The experts' part of `all`.
    pub(super) experts: u64,
}

/// Prefixes of tensors that are looked up by row (llama.cpp b11434, `LLM_TENSOR_LAYER_INPUT` in
/// `src/llama-arch.cpp`).
const INPUT_PREFIXES: [&str; 4] = [
    "token_embd.",
    "per_layer_token_embd.",
    "position_embd.",
    "token_types.",
];

/// The parts of llama.cpp's expression for experts, `ffn_(up|down|gate|gate_up)_(ch|)exps`.
const EXPERT_NAME_PARTS: [&str; 2] = ["_exps", "_chexps"];

/// Architectures that skip the multi-token prediction layers unless they are requested (b11434,
/// `load_mtp` in `src/models/*.cpp`).
const SKIPS_PREDICTION_LAYERS: [&str; 16] = [
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

/// Assigns each tensor of a model's files to a part. `mtp`: the multi-token prediction layers are
/// loaded.
pub(super) fn assign_tensors(parts: &[Header], model: &ModelShape<'_>, mtp: bool) -> TensorWeights {
    let mut weights = TensorWeights {
        input: 0,
        layers: vec![LayerWeights::default(); model.layers],
        output: 0,
        tied: 0,
    };
    let skips_prediction = !mtp && model.trunk > 0 && SKIPS_PREDICTION_LAYERS.contains(&model.arch);
    let mut embedding = 0;
    let mut has_output = false;
    for tensor in parts.iter().flat_map(|part| &part.tensors) {
        let size = tensor.size.unwrap_or(0);
        let name = tensor.name.as_str();
        match layer_index(name) {
            Some(index) if skips_prediction && index >= model.trunk => {}
            // llama.cpp ignores layers after the last.
            Some(index) => {
                if let Some(layer) = weights.layers.get_mut(index) {
                    layer.add(name, size);
                }
            }
            None if INPUT_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) => {
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
        if EXPERT_NAME_PARTS.iter().any(|part| name.contains(part)) {
            self.experts = self.experts.saturating_add(size);
        }
    }
}

/// Returns the layer index in `blk.N.…`, with an optional prefix `enc.` or `dec.`.
fn layer_index(name: &str) -> Option<usize> {
    let name = name
        .strip_prefix("enc.")
        .or(name.strip_prefix("dec."))
        .unwrap_or(name);
    let (number, _) = name.strip_prefix("blk.")?.split_once('.')?;
    number.parse().ok()
}
