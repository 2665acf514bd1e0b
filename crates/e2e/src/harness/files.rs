use paddock_gguf::write::Builder;
use paddock_gguf::{GgmlType, Value};

/// The bytes of a model file that paddock takes for a whole one.
pub fn model() -> Vec<u8> {
    Builder::new("llama")
        .set("llama.block_count", Value::U32(1))
        .tensor("token_embd.weight", &[64, 8], GgmlType::F32)
        .build()
}
