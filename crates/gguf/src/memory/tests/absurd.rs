//! Absurd headers and options, generated at random.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::super::{GpuLayers, projector_bytes};
use super::*;
use crate::header::Tensor;

const ARCHITECTURES: [&str; 22] = [
    "llama",
    "gemma2",
    "gemma3",
    "gemma3n",
    "gemma4",
    "gpt-oss",
    "llama4",
    "deepseek2",
    "deepseek32",
    "deepseek4",
    "dots3note",
    "minimax-m3",
    "minimax-01",
    "mamba2",
    "rwkv7",
    "lfm2",
    "qwen3next",
    "nemotron_h",
    "falcon-h1",
    "kimi-linear",
    "nanbeige",
    "bert",
];

const KEYS: [&str; 40] = [
    "block_count",
    "embedding_length",
    "context_length",
    "vocab_size",
    "feed_forward_length",
    "nextn_predict_layers",
    "num_loops",
    "expert_used_count",
    "expert_feed_forward_length",
    "leading_dense_block_count",
    "attention.causal",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.value_length",
    "attention.key_length_swa",
    "attention.value_length_swa",
    "attention.key_length_mla",
    "attention.value_length_mla",
    "attention.kv_lora_rank",
    "attention.sliding_window",
    "attention.sliding_window_pattern",
    "attention.shared_kv_layers",
    "attention.recurrent_layers",
    "attention.compress_ratios",
    "attention.indexer.key_length",
    "attention.indexer.types",
    "full_attention_interval",
    "ssm.conv_kernel",
    "ssm.inner_size",
    "ssm.state_size",
    "ssm.group_count",
    "wkv.head_size",
    "token_shift_count",
    "shortconv.l_cache",
    "kda.head_dim",
    "vision.image_size",
    "vision.patch_size",
    "vision.embedding_length",
    "vision.feed_forward_length",
];

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..8u64, 0..600u64, any::<u64>(), Just(u64::MAX)]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => number().prop_map(Value::U64),
        1 => any::<i64>().prop_map(Value::I64),
        1 => any::<bool>().prop_map(Value::Bool),
        1 => Just(Value::String("x".to_owned())),
        2 => proptest::collection::vec(number().prop_map(Value::U64), 0..600).prop_map(Value::Array),
    ]
}

fn header() -> impl Strategy<Value = Header> {
    let keys = proptest::collection::vec((proptest::sample::select(&KEYS[..]), value()), 0..30);
    let tensor = (
        "[a-z.]{0,9}(blk|token_embd|output)[.][0-9]{0,20}[.](ffn_up_exps|weight)",
        number(),
    );
    let tensors = proptest::collection::vec(tensor, 0..20);
    (
        proptest::sample::select(&ARCHITECTURES[..]),
        1..600u64,
        keys,
        tensors,
    )
        .prop_map(|(architecture, layers, keys, tensors)| {
            let mut header = Sketch::new("x", 1, 1, 1).header();
            let name = Value::String(architecture.to_owned());
            header
                .metadata
                .insert("general.architecture".to_owned(), name);
            let plain = [
                ("block_count", layers),
                ("embedding_length", 64),
                ("context_length", 512),
            ];
            let plain = plain.map(|(key, number)| (key, Value::U64(number)));
            for (key, value) in plain.into_iter().chain(keys) {
                let prefix = if key.starts_with("vision") {
                    "clip"
                } else {
                    architecture
                };
                header.metadata.insert(format!("{prefix}.{key}"), value);
            }
            header
                .tensors
                .extend(tensors.into_iter().map(|(name, size)| Tensor {
                    name,
                    dims: vec![size, size],
                    ggml_type: GgmlType::F16,
                    offset: 0,
                    size: Some(size),
                }));
            header
        })
}

prop_compose! {
    fn options()(
        numbers in proptest::array::uniform6(prop_oneof![0..5u32, any::<u32>(), Just(u32::MAX)]),
        types in proptest::array::uniform2(0..60u32),
        flags in proptest::array::uniform6(any::<bool>()),
    ) -> MemoryOptions {
        let [context, parallel, context_per_slot, batch, ubatch, cpu_experts] = numbers;
        let [kv_unified, swa_full, flash_attention, kv_offload, embeddings, mtp] = flags;
        MemoryOptions {
            context, parallel, kv_unified, context_per_slot, swa_full, batch, ubatch,
            flash_attention, kv_offload, cpu_experts, embeddings, mtp,
            cache_type_k: GgmlType(types[0]),
            cache_type_v: GgmlType(types[1]),
            gpu_layers: GpuLayers::Count(context),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn absurd_input_is_handled_quickly_without_panic(header in header(), options in options()) {
        #[expect(clippy::disallowed_methods, reason = "real work takes real time")]
        let started = Instant::now();
        if let Ok(prediction) = predict(std::slice::from_ref(&header), &options) {
            let split = prediction.split_by_device(options.gpu_layers);
            let most = prediction.total().saturating_add(prediction.tied);
            prop_assert!(split.total() >= prediction.weights());
            prop_assert!(split.total() <= most.saturating_add(prediction.compute));
        }
        projector_bytes(&header);
        prop_assert!(started.elapsed() < Duration::from_secs(2));
    }

    #[test]
    fn any_arguments_are_read(words in proptest::collection::vec("-{0,2}[a-z]{0,4}|[0-9]{0,12}", 0..20)) {
        let _options = MemoryOptions::default().with_args(&words);
    }

    #[test]
    fn more_context_never_takes_less(header in header(), one in 1..100_000u32, more in 0..100_000u32) {
        let kv = |context| predict(std::slice::from_ref(&header), &with_context(context)).map(|p| p.kv());
        prop_assert!(kv(one + more).ok() >= kv(one).ok());
    }
}
