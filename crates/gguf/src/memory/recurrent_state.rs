//! Finds a model's recurrent layers, and computes the memory of their states. Such a layer keeps a
//! state of fixed size instead of a key and a value per token.

use super::attention::{Attention, get_or_zero};
use super::memory_options::ResolvedOptions;
use super::model_shape::{ModelKeys, ModelShape};
use super::saturating::{product, sum};

/// Architectures whose layers are all recurrent (llama.cpp b11434, `llm_arch_is_recurrent`).
const ALL_RECURRENT: [&str; 6] = ["mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7"];

/// Marks the recurrent layers as llama.cpp b11434 does (`src/models/*.cpp`).
///
/// `layers` counts all layers of the file; `trunk` counts the layers before the multi-token
/// prediction layers, which come last and are never recurrent.
pub(super) fn recurrent_layers(
    keys: ModelKeys<'_>,
    attention: &Attention,
    feed_forward: &[u64],
    (layers, trunk): (usize, usize),
) -> Vec<bool> {
    let without_heads = |layer| get_or_zero(&attention.kv_heads, layer) == 0;
    let mut recurrent: Vec<bool> = match keys.arch {
        arch if ALL_RECURRENT.contains(&arch) => vec![true; trunk],
        "falcon-h1" => vec![true; trunk],
        "jamba" | "granitehybrid" | "plamo2" | "lfm2" | "lfm2moe" | "kimi-linear" | "kimi-k3"
        | "bailingmoe3" | "glm5-next" => (0..trunk).map(without_heads).collect(),
        "nemotron_h" | "nemotron_h_moe" => (0..trunk)
            .map(|layer| without_heads(layer) && get_or_zero(feed_forward, layer) == 0)
            .collect(),
        "qwen3next" | "qwen35" | "qwen35moe" | "qwen4exp" => by_interval(keys, trunk, 4),
        "minimax-01" => by_interval(keys, trunk, 8),
        _ => Vec::new(),
    };
    recurrent.resize(layers, false);
    recurrent
}

/// Marks every layer except each `interval`th, unless the file lists the layers.
fn by_interval(keys: ModelKeys<'_>, trunk: usize, interval: u64) -> Vec<bool> {
    let interval = keys.number("full_attention_interval").unwrap_or(interval);
    let listed = keys.flags("attention.recurrent_layers").map(|mut listed| {
        listed.truncate(trunk);
        listed
    });
    listed.unwrap_or_else(|| {
        (1..=trunk as u64)
            .map(|layer| layer.checked_rem(interval).is_some_and(|rest| rest != 0))
            .collect()
    })
}

/// Returns the bytes of a layer's state: a row of 32-bit floats per sequence.
pub(super) fn layer_bytes(model: &ModelShape<'_>, run: &ResolvedOptions, layer: usize) -> u64 {
    if layer >= model.trunk || !model.is_recurrent(layer) {
        return 0;
    }
    let row = state_width(model);
    product([row, 4, run.sequences.max(1)])
}

/// Returns the elements of one state, convolution and memory together (b11434, `n_embd_r` and
/// `n_embd_s`).
fn state_width(model: &ModelShape<'_>) -> u64 {
    let keys = model.keys();
    let number = |key| keys.number(key).unwrap_or(0);
    let embedding = model.embedding;
    let heads = get_or_zero(&model.attention.heads, 0);
    let kernel = number("ssm.conv_kernel");
    let (inner, state) = (number("ssm.inner_size"), number("ssm.state_size"));
    let groups = number("ssm.group_count");
    let (key_value, short) = (number("wkv.head_size"), number("shortconv.l_cache"));
    let delta = number("kda.head_dim");
    if key_value != 0 {
        let shifts = keys.number("token_shift_count").unwrap_or(2);
        return product([embedding, shifts.saturating_add(key_value)]);
    }
    if short != 0 {
        return product([embedding, short - 1]).saturating_add(product([inner, state]));
    }
    if delta != 0 {
        let before = if kernel > 0 { kernel - 1 } else { 3 };
        let convolution = product([3, before, heads, delta]);
        return convolution.saturating_add(product([delta, delta, heads]));
    }
    if model.arch == "minimax-01" {
        let head = model.attention.key_width(false);
        return product([head, head, heads]);
    }
    let channels = sum([inner, product([2, groups, state])]);
    product([kernel.saturating_sub(1), channels]).saturating_add(product([state, inner]))
}
