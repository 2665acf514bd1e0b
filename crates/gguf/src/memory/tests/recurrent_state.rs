//! Recurrent states, and models with both kinds of layers.

use super::*;

#[test]
fn a_state_does_not_grow_with_the_context() {
    let mamba = Sketch::new("mamba", 24, 768, 0)
        .number("ssm.conv_kernel", 4)
        .number("ssm.inner_size", 1536)
        .number("ssm.state_size", 16);
    for context in [512, 65536] {
        let prediction = mamba.predict(&with_context(context));
        // 24 layers × (3 + 16) × 1536 floats.
        let expected = (0, 24 * 19 * 1536 * 4);
        assert_eq!((prediction.kv(), prediction.recurrent()), expected);
    }
    let slots = MemoryOptions {
        parallel: 4,
        ..MemoryOptions::default()
    };
    assert_eq!(mamba.predict(&slots).recurrent(), 4 * 24 * 19 * 1536 * 4);
}

#[test]
fn groups_widen_the_convolution() {
    let mamba = Sketch::new("mamba2", 1, 768, 0)
        .number("ssm.conv_kernel", 4)
        .number("ssm.inner_size", 1536)
        .number("ssm.state_size", 128)
        .number("ssm.group_count", 2);
    let expected = (3 * (1536 + 2 * 2 * 128) + 128 * 1536) * 4;
    assert_eq!(
        mamba.predict(&MemoryOptions::default()).recurrent(),
        expected
    );
}

#[test]
fn rwkv_keeps_shifts_and_a_matrix() {
    let rwkv = Sketch::new("rwkv6", 24, 2048, 0).number("wkv.head_size", 64);
    let prediction = rwkv.predict(&MemoryOptions::default());
    assert_eq!(prediction.recurrent(), 24 * (2 + 64) * 2048 * 4);
    assert_eq!(prediction.kv(), 0);
}

/// Returns each layer's memory: `s` for a state, `k` for a KV cache, `b` for both.
fn kinds(sketch: &Sketch) -> String {
    let layers = sketch.predict(&MemoryOptions::default()).layers;
    let kind = |kv, state| match (kv > 0, state > 0) {
        (true, true) => 'b',
        (true, false) => 'k',
        (false, true) => 's',
        (false, false) => '-',
    };
    layers
        .iter()
        .map(|layer| kind(layer.kv, layer.recurrent))
        .collect()
}

#[test]
fn hybrids_have_one_or_the_other() {
    let hybrid = |architecture| {
        Sketch::new(architecture, 8, 1024, 8)
            .number("ssm.conv_kernel", 4)
            .number("ssm.inner_size", 2048)
            .number("ssm.state_size", 16)
            .number("ssm.group_count", 1)
    };
    let heads = "attention.head_count_kv";
    let some = [0, 0, 0, 4, 0, 0, 0, 4];
    for architecture in ["jamba", "granitehybrid", "plamo2"] {
        let sketch = hybrid(architecture).numbers(heads, &some);
        assert_eq!(kinds(&sketch), "sssksssk", "{architecture}");
    }
    for architecture in ["qwen3next", "qwen35", "qwen35moe"] {
        assert_eq!(kinds(&hybrid(architecture)), "sssksssk", "{architecture}");
    }
    let listed = hybrid("qwen35").flags("attention.recurrent_layers", [true, false, true]);
    assert_eq!(kinds(&listed), "skskkkkk");
    assert_eq!(kinds(&hybrid("falcon-h1")), "bbbbbbbb");
    let nemotron = hybrid("nemotron_h")
        .numbers(heads, &some)
        .numbers("feed_forward_length", &[0, 9, 0, 0, 9, 0, 9, 0]);
    assert_eq!(kinds(&nemotron), "s-sk-s-k");
}

#[test]
fn other_states_have_other_sizes() {
    let state = |sketch: Sketch| sketch.predict(&MemoryOptions::default()).layers[0].recurrent;
    let heads = "attention.head_count_kv";
    let lfm2 = Sketch::new("lfm2", 2, 1024, 16).numbers(heads, &[0, 8]);
    assert_eq!(state(lfm2.number("shortconv.l_cache", 3)), 2 * 1024 * 4);
    let kimi = Sketch::new("kimi-linear", 2, 2304, 32).numbers(heads, &[0, 32]);
    let kimi = kimi
        .number("kda.head_dim", 128)
        .number("ssm.conv_kernel", 4);
    assert_eq!(state(kimi), (9 * 4096 + 128 * 128 * 32) * 4);
    let minimax = Sketch::new("minimax-01", 8, 6144, 64).number("attention.key_length", 128);
    assert_eq!(kinds(&minimax), "sssssssk");
    assert_eq!(state(minimax), 128 * 128 * 64 * 4);
}

#[test]
fn a_hybrid_may_have_windows() {
    let sketch = Sketch::new("lfm2", 4, 1024, 16)
        .numbers("attention.head_count_kv", &[0, 8, 0, 8])
        .number("shortconv.l_cache", 3)
        .number("attention.sliding_window", 512);
    assert_eq!(sketch.kv(65536), 2 * 1024 * 8 * 64 * 2 * 2);
}
