//! Figures worked out by hand, family by family, and headers that nobody would write.

mod absurd;
mod arguments;
mod divided;
mod families;
mod gemma;
mod recurrent;
mod windows;

use super::{Options, Prediction, predict};
use crate::ggml::GgmlType;
use crate::header::Header;
use crate::value::Value;
use crate::write::Builder;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const GIB: u64 = 1024 * MIB;

/// A model's header in the making; keys go without the architecture's name.
struct Sketch(&'static str, Builder);

impl Sketch {
    fn new(architecture: &'static str, layers: u32, embedding: u32, heads: u32) -> Self {
        Self(architecture, Builder::new(architecture))
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

    fn predict(&self, options: &Options) -> Prediction {
        predict(&[self.header()], options).unwrap()
    }

    /// The bytes of keys and values with the default options and a context.
    fn kv(&self, context: u32) -> u64 {
        self.predict(&with_context(context)).kv()
    }

    /// Which layers cache fewer than a context of 65536 tokens, as a text of `w` and `.`.
    fn windowed(&self) -> String {
        let layers = self.predict(&with_context(65536)).layers;
        let most = layers.iter().map(|layer| layer.kv).max().unwrap();
        let mark = |kv| if kv < most { 'w' } else { '.' };
        layers.iter().map(|layer| mark(layer.kv)).collect()
    }
}

fn with_context(context: u32) -> Options {
    Options {
        context,
        ..Options::default()
    }
}
