//! Predictions checked against figures computed by hand, family by family, and against absurd
//! headers.

mod absurd;
mod device_split;
mod families;
mod gemma;
mod recurrent_state;
mod server_arguments;
mod sliding_windows;

use super::{MemoryOptions, MemoryPrediction, predict};
use crate::builder::GgufBuilder;
use crate::ggml_type::GgmlType;
use crate::header::Header;
use crate::value::Value;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const GIB: u64 = 1024 * MIB;

/// Builds a model's header; keys omit the architecture's name.
struct Sketch(&'static str, GgufBuilder);

impl Sketch {
    fn new(architecture: &'static str, layers: u32, embedding: u32, heads: u32) -> Self {
        Self(architecture, GgufBuilder::new(architecture))
            .number("block_count", layers)
            .number("embedding_length", embedding)
            .number("attention.head_count", heads)
            .number("context_length", 8192)
    }

    fn number(self, key: &str, number: u32) -> Self {
        self.value(key, Value::U32(number))
    }

    fn numbers(self, key: &str, numbers: &[u32]) -> Self {
        let numbers = numbers.iter().map(|&number| Value::U32(number)).collect();
        self.value(key, Value::Array(numbers))
    }

    fn flags(self, key: &str, flags: impl IntoIterator<Item = bool>) -> Self {
        self.value(
            key,
            Value::Array(flags.into_iter().map(Value::Bool).collect()),
        )
    }

    fn value(self, key: &str, value: Value) -> Self {
        let key = format!("{}.{key}", self.0);
        Self(self.0, self.1.set(&key, value))
    }

    fn tensor(self, name: &str, dims: &[u64]) -> Self {
        Self(self.0, self.1.tensor(name, dims, GgmlType::F16))
    }

    fn header(&self) -> Header {
        Header::read(&self.1.build()[..]).unwrap()
    }

    fn predict(&self, options: &MemoryOptions) -> MemoryPrediction {
        predict(&[self.header()], options).unwrap()
    }

    /// Returns the KV cache bytes with the default options and this context.
    fn kv(&self, context: u32) -> u64 {
        self.predict(&with_context(context)).kv()
    }

    /// Returns a `w` for each layer that caches less than a context of 65536 tokens, else a `.`.
    fn windowed_layers(&self) -> String {
        let layers = self.predict(&with_context(65536)).layers;
        let most = layers.iter().map(|layer| layer.kv).max().unwrap();
        let mark = |kv| if kv < most { 'w' } else { '.' };
        layers.iter().map(|layer| mark(layer.kv)).collect()
    }
}

fn with_context(context: u32) -> MemoryOptions {
    MemoryOptions {
        context,
        ..MemoryOptions::default()
    }
}
