//! Small models of other families, made of zeros: their caches are as large as real ones.

use std::fs;

use paddock_gguf::{GgmlType, Value, builder::GgufBuilder};

use super::support::compare;

const F32: GgmlType = GgmlType::F32;
const F16: GgmlType = GgmlType::F16;

/// A model in the making; keys go without the architecture's name.
struct Made(&'static str, GgufBuilder);

impl Made {
    /// Begins a model with 512 numbers a token and a vocabulary of 4096.
    fn new(architecture: &'static str, layers: u32) -> Self {
        let builder = GgufBuilder::new(architecture)
            .set("tokenizer.ggml.model", Value::String("no_vocab".to_owned()))
            .tensor("token_embd.weight", &[512, 4096], F16)
            .tensor("output.weight", &[512, 4096], F16);
        Self(architecture, builder)
            .numbers(&[
                ("vocab_size", 4096),
                ("context_length", 65536),
                ("block_count", layers),
            ])
            .numbers(&[("embedding_length", 512), ("feed_forward_length", 1024)])
            .value("attention.layer_norm_rms_epsilon", Value::F32(1e-6))
    }

    fn numbers(self, numbers: &[(&str, u32)]) -> Self {
        let number = |made: Self, &(key, number): &_| made.value(key, Value::U32(number));
        numbers.iter().fold(self, number)
    }

    fn value(self, key: &str, value: Value) -> Self {
        Self(self.0, self.1.set(&format!("{}.{key}", self.0), value))
    }

    /// Adds matrices and vectors; vectors, and what the engine wants so, are of 32-bit floats.
    fn tensors(self, tensors: &[(String, &[u64])]) -> Self {
        let add = |builder: GgufBuilder, (name, dims): &(String, &[u64])| {
            let exact = ["bias", "ssm_a", "conv"]
                .iter()
                .any(|part| name.contains(part));
            let exact = exact || dims.len() == 1;
            builder.tensor(name, dims, if exact { F32 } else { F16 })
        };
        Self(self.0, tensors.iter().fold(self.1, add))
    }

    fn layer(self, layer: u32, tensors: &[(&str, &[u64])]) -> Self {
        let name = |&(name, dims): &(&str, _)| (format!("blk.{layer}.{name}"), dims);
        let tensors: Vec<_> = tensors.iter().map(name).collect();
        self.tensors(&tensors)
    }

    /// Adds attention with so many heads for keys, and 8 for queries, 64 wide.
    fn attention(self, layer: u32, kv_heads: u64) -> Self {
        let keys = kv_heads * 64;
        self.layer(
            layer,
            &[
                ("attn_norm.weight", &[512]),
                ("attn_q.weight", &[512, 512]),
                ("attn_k.weight", &[512, keys]),
                ("attn_v.weight", &[512, keys]),
                ("attn_output.weight", &[512, 512]),
            ],
        )
    }

    fn feed_forward(self, layer: u32) -> Self {
        self.layer(
            layer,
            &[
                ("ffn_norm.weight", &[512]),
                ("ffn_gate.weight", &[512, 1024]),
                ("ffn_up.weight", &[512, 1024]),
                ("ffn_down.weight", &[1024, 512]),
            ],
        )
    }

    /// Compares it with the engine for each line of arguments.
    fn check(self, lines: &[&str]) {
        let file = tempfile::Builder::new()
            .suffix(".gguf")
            .tempfile()
            .expect("a file");
        fs::write(file.path(), self.1.build()).expect("a model");
        for line in lines {
            let compared = compare(file.path(), line);
            println!("{}: {compared}", self.0);
            compared.check().check_compute();
        }
    }
}

const LINES: [&str; 3] = [
    "-np 1 -c 16384",
    "-np 3 -c 20000 -ctk q8_0 -ctv q8_0",
    "-np 2 -c 8192 -fa off",
];

#[test]
fn grouped_heads() {
    let mut made = Made::new("llama", 4);
    made = made.numbers(&[("attention.head_count", 8), ("attention.head_count_kv", 4)]);
    for layer in 0..4 {
        made = made.attention(layer, 4).feed_forward(layer);
    }
    made.tensors(&[("output_norm.weight".to_owned(), &[512])])
        .check(&LINES);
}

#[test]
fn experts_and_windows() {
    let mut made = Made::new("gpt-oss", 4).numbers(&[
        ("attention.head_count", 8),
        ("attention.head_count_kv", 4),
        ("attention.sliding_window", 128),
        ("expert_count", 8),
        ("expert_used_count", 4),
        ("expert_feed_forward_length", 256),
    ]);
    for layer in 0..4 {
        made = made.attention(layer, 4).layer(
            layer,
            &[
                ("post_attention_norm.weight", &[512]),
                ("attn_q.bias", &[512]),
                ("attn_k.bias", &[256]),
                ("attn_v.bias", &[256]),
                ("attn_output.bias", &[512]),
                ("attn_sinks.weight", &[8]),
                ("ffn_gate_inp.weight", &[512, 8]),
                ("ffn_gate_inp.bias", &[8]),
                ("ffn_gate_exps.weight", &[512, 256, 8]),
                ("ffn_up_exps.weight", &[512, 256, 8]),
                ("ffn_down_exps.weight", &[256, 512, 8]),
                ("ffn_gate_exps.bias", &[256, 8]),
                ("ffn_up_exps.bias", &[256, 8]),
                ("ffn_down_exps.bias", &[512, 8]),
            ],
        );
    }
    made.tensors(&[("output_norm.weight".to_owned(), &[512])])
        .check(&LINES);
}

#[test]
fn compressed_attention() {
    let mut made = Made::new("deepseek2", 4).numbers(&[
        ("leading_dense_block_count", 4),
        ("attention.head_count", 8),
        ("attention.head_count_kv", 1),
        ("attention.q_lora_rank", 128),
        ("attention.kv_lora_rank", 256),
        ("attention.key_length", 288),
        ("attention.value_length", 256),
        ("attention.key_length_mla", 96),
        ("attention.value_length_mla", 64),
        ("rope.dimension_count", 32),
        ("expert_count", 0),
        ("expert_used_count", 0),
        ("expert_shared_count", 1),
        ("expert_feed_forward_length", 256),
    ]);
    for layer in 0..4 {
        made = made.feed_forward(layer).layer(
            layer,
            &[
                ("attn_norm.weight", &[512]),
                ("attn_q_a_norm.weight", &[128]),
                ("attn_kv_a_norm.weight", &[256]),
                ("attn_q_a.weight", &[512, 128]),
                ("attn_q_b.weight", &[128, 8 * 96]),
                ("attn_kv_a_mqa.weight", &[512, 288]),
                ("attn_k_b.weight", &[64, 256, 8]),
                ("attn_v_b.weight", &[256, 64, 8]),
                ("attn_output.weight", &[8 * 64, 512]),
            ],
        );
    }
    let made = made.tensors(&[("output_norm.weight".to_owned(), &[512])]);
    made.check(&["-np 1 -c 16384", "-np 2 -c 8192 -ctk q8_0 -ctv q8_0"]);
}

#[test]
fn states_alone() {
    let mut made = Made::new("mamba", 16).numbers(&[
        ("ssm.conv_kernel", 4),
        ("ssm.inner_size", 1024),
        ("ssm.state_size", 16),
        ("ssm.time_step_rank", 32),
    ]);
    for layer in 0..16 {
        made = made.layer(
            layer,
            &[
                ("attn_norm.weight", &[512]),
                ("ssm_in.weight", &[512, 2048]),
                ("ssm_conv1d.weight", &[4, 1024]),
                ("ssm_conv1d.bias", &[1024]),
                ("ssm_x.weight", &[1024, 64]),
                ("ssm_dt.weight", &[32, 1024]),
                ("ssm_dt.bias", &[1024]),
                ("ssm_a", &[16, 1024]),
                ("ssm_d", &[1024]),
                ("ssm_out.weight", &[1024, 512]),
            ],
        );
    }
    let made = made.tensors(&[("output_norm.weight".to_owned(), &[512])]);
    made.check(&["-np 1 -c 16384", "-np 4 -c 8192"]);
}

#[test]
fn states_and_keys() {
    let heads = [0, 4, 0, 4].map(Value::U32).to_vec();
    let mut made = Made::new("lfm2", 4)
        .numbers(&[("attention.head_count", 8), ("shortconv.l_cache", 3)])
        .value("attention.head_count_kv", Value::Array(heads));
    for layer in 0..4 {
        made = made.feed_forward(layer);
        made = if layer % 2 == 1 {
            made.attention(layer, 4).layer(
                layer,
                &[("attn_q_norm.weight", &[64]), ("attn_k_norm.weight", &[64])],
            )
        } else {
            made.layer(
                layer,
                &[
                    ("attn_norm.weight", &[512]),
                    ("shortconv.conv.weight", &[3, 512]),
                    ("shortconv.in_proj.weight", &[512, 3 * 512]),
                    ("shortconv.out_proj.weight", &[512, 512]),
                ],
            )
        };
    }
    let made = made.tensors(&[("token_embd_norm.weight".to_owned(), &[512])]);
    made.check(&["-np 1 -c 16384", "-np 4 -c 8192 -ctk q8_0"]);
}
