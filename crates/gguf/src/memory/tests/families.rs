//! KV caches by model family.

use super::super::{Unpredictable, tensor_bytes};
use super::*;

fn llama() -> Sketch {
    Sketch::new("llama", 32, 4096, 32).number("attention.head_count_kv", 8)
}

#[test]
fn grouped_heads_share_keys() {
    // 32 layers × 8192 tokens × 2 × 8 heads × 128 × 2 bytes.
    assert_eq!(llama().kv(0), GIB);
    assert_eq!(llama().kv(8192), GIB);
    // Without the key, each head has its own keys.
    assert_eq!(Sketch::new("llama", 32, 4096, 32).kv(0), 4 * GIB);
    // The context is padded to 256.
    assert_eq!(llama().kv(1), 32 * MIB);
    assert_eq!(llama().kv(257), 64 * MIB);
}

#[test]
fn heads_may_have_a_width_of_their_own_and_differ_by_layer() {
    let wide = Sketch::new("qwen3", 2, 1024, 16)
        .numbers("attention.head_count_kv", &[8, 4])
        .number("attention.key_length", 128)
        .number("attention.value_length", 64);
    // 1024 tokens × 192 × 2 bytes for each of 12 heads.
    assert_eq!(wide.kv(1024), 12 * 384 * KIB);
    let options = MemoryOptions {
        flash_attention: false,
        ..with_context(1024)
    };
    // Values are stored transposed: the second layer's are as wide as the first's, 8 × 64.
    assert_eq!(
        wide.predict(&options).kv(),
        (8 * 192 + 4 * 128 + 8 * 64) * 2 * KIB
    );
}

#[test]
fn slots_divide_the_context_or_share_it() {
    let kv = |parallel, kv_unified| {
        let options = MemoryOptions {
            parallel,
            kv_unified,
            ..MemoryOptions::default()
        };
        llama().predict(&options).kv()
    };
    assert_eq!(kv(4, false), GIB);
    assert_eq!(kv(4, true), GIB);
    assert_eq!(kv(0, false), GIB);
    // 8192 / 3 is padded to 2816 in each of three.
    assert_eq!(kv(3, false), 3 * 2816 * 128 * KIB);
    let each = MemoryOptions {
        context_per_slot: 1024,
        parallel: 2,
        ..MemoryOptions::default()
    };
    assert_eq!(llama().predict(&each).kv(), 256 * MIB);
}

#[test]
fn cache_types_count_by_blocks() {
    let kv = |k, v| {
        let options = MemoryOptions {
            cache_type_k: GgmlType::for_cache(k).unwrap(),
            cache_type_v: GgmlType::for_cache(v).unwrap(),
            ..MemoryOptions::default()
        };
        llama().predict(&options).kv()
    };
    assert_eq!(kv("f32", "f32"), 2 * GIB);
    assert_eq!(kv("q8_0", "q8_0"), GIB / 64 * 34);
    assert_eq!(kv("q4_0", "q4_0"), GIB / 64 * 18);
    assert_eq!(kv("f16", "q4_0"), GIB / 2 + GIB / 128 * 18);
    assert_eq!(GgmlType::for_cache("q2_K"), None);
}

#[test]
fn compressed_attention_caches_keys_alone() {
    let deepseek = |architecture| {
        Sketch::new(architecture, 61, 7168, 128)
            .number("attention.head_count_kv", 1)
            .number("attention.key_length", 576)
            .number("attention.value_length", 512)
            .number("attention.kv_lora_rank", 512)
            .number("attention.key_length_mla", 192)
            .number("attention.value_length_mla", 128)
    };
    // 61 layers × 576 × 2 bytes.
    assert_eq!(deepseek("deepseek2").kv(4096), 4096 * 61 * 1152);
    // An additional indexer key of 128 per layer.
    let sparse = deepseek("deepseek32").number("attention.indexer.key_length", 128);
    assert_eq!(sparse.kv(4096), 4096 * 61 * (1152 + 256));
    // The old form caches decompressed keys and values.
    let old = Sketch::new("deepseek2", 27, 2048, 16)
        .number("attention.key_length", 192)
        .number("attention.value_length", 128);
    assert_eq!(old.kv(1024), 1024 * 27 * 16 * (192 + 128) * 2);
}

#[test]
fn deepseek_4_compresses_what_is_older_than_its_window() {
    let sketch = Sketch::new("deepseek4", 3, 4096, 64)
        .number("attention.head_count_kv", 1)
        .number("attention.key_length", 512)
        .number("attention.sliding_window", 128)
        .number("attention.indexer.key_length", 128)
        .numbers("attention.compress_ratios", &[0, 4, 128]);
    let layers = sketch.predict(&with_context(65536)).layers;
    let window = 768 * KIB;
    assert_eq!(layers[0].kv, window);
    let state = 8 * 1024 * 8 + 8 * 256 * 8;
    assert_eq!(layers[1].kv, window + 16384 * (1024 + 256) + state);
    assert_eq!(layers[2].kv, window + 512 * KIB + 128 * 512 * 8);
}

#[test]
fn prediction_layers_count_only_when_used() {
    let sketch = Sketch::new("glm4moe", 4, 1024, 8)
        .number("nextn_predict_layers", 1)
        .tensor("blk.0.attn_q.weight", &[64, 8])
        .tensor("blk.3.attn_q.weight", &[64, 8]);
    let plain = sketch.predict(&with_context(1024));
    assert_eq!((plain.weights(), plain.kv()), (KIB, 3 * 4 * MIB));
    let options = MemoryOptions {
        mtp: true,
        ..with_context(1024)
    };
    let ahead = sketch.predict(&options);
    assert_eq!((ahead.weights(), ahead.kv()), (2 * KIB, 4 * 4 * MIB));
}

#[test]
fn encoders_have_no_cache() {
    let bert = Sketch::new("bert", 12, 384, 12).number("attention.causal", 0);
    let prediction = bert.predict(&MemoryOptions {
        embeddings: true,
        ..MemoryOptions::default()
    });
    assert_eq!((prediction.kv(), prediction.recurrent()), (0, 0));
    assert!(prediction.compute > 0);
}

#[test]
fn parts_are_summed() {
    let first = llama().tensor("token_embd.weight", &[64, 8]).header();
    let second = GgufBuilder::new("none")
        .tensor("blk.0.attn_q.weight", &[64, 16], GgmlType::F16)
        .tensor("output.weight", &[64, 8], GgmlType::F16);
    let second = Header::read(&second.build()[..]).unwrap();
    let parts = [first, second];
    let prediction = predict(&parts, &MemoryOptions::default()).unwrap();
    assert_eq!(
        (prediction.input, prediction.output, prediction.tied),
        (KIB, KIB, 0)
    );
    assert_eq!(prediction.layers[0].weights, 2 * KIB);
    assert_eq!(
        (prediction.weights(), tensor_bytes(&parts)),
        (4 * KIB, 4 * KIB)
    );
}

#[test]
fn unpredictable_headers_are_explained() {
    let error = |header: Header| predict(&[header], &MemoryOptions::default()).unwrap_err();
    let missing = Sketch("llama", GgufBuilder::new("llama")).header();
    let expected = Unpredictable::Missing("llama.block_count".to_owned());
    assert_eq!(error(missing), expected);
    let many = Sketch::new("llama", 513, 64, 1).header();
    assert_eq!(error(many), Unpredictable::Layers(513));
    assert_eq!(
        error(Sketch::new("clip", 1, 64, 1).header()),
        Unpredictable::Projector
    );
    assert_eq!(
        predict(&[], &MemoryOptions::default()),
        Err(Unpredictable::NoParts)
    );
}
