//! Builds small model files for tests.
//!
//! ```
//! use paddock_gguf::{GgmlType, Header, Value, builder::GgufBuilder};
//!
//! let file = GgufBuilder::new("llama")
//!     .set("llama.block_count", Value::U32(1))
//!     .tensor("token_embd.weight", &[64, 8], GgmlType::F32)
//!     .build();
//! assert_eq!(Header::read(&file[..])?.architecture(), Some("llama"));
//! # Ok::<(), paddock_gguf::Error>(())
//! ```

use crate::ggml_type::GgmlType;
use crate::value::{Value, ValueType};

/// Builds the bytes of a model file; tensor data is zero unless given.
#[derive(Debug, Clone)]
pub struct GgufBuilder {
    version: u32,
    alignment: usize,
    metadata: Vec<(String, Value)>,
    tensors: Vec<NewTensor>,
}

/// A tensor to be written.
#[derive(Debug, Clone)]
struct NewTensor {
    name: String,
    dims: Vec<u64>,
    ggml_type: GgmlType,
    data: Vec<u8>,
}

impl GgufBuilder {
    /// Creates a version 3 file for an architecture.
    pub fn new(architecture: &str) -> Self {
        let architecture = Value::String(architecture.to_owned());
        Self {
            version: 3,
            alignment: 32,
            metadata: vec![("general.architecture".to_owned(), architecture)],
            tensors: Vec::new(),
        }
    }

    /// Creates the smallest file that [`check_loadable`](crate::check_loadable) accepts. No engine
    /// can generate text from it.
    pub fn stand_in() -> Self {
        Self::new("llama")
            .set("llama.block_count", Value::U32(1))
            .set("llama.context_length", Value::U32(64))
            .set("llama.embedding_length", Value::U32(64))
            .tensor("token_embd.weight", &[64, 8], GgmlType::F32)
    }

    /// Sets the format's version.
    #[must_use]
    pub fn version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// Adds a metadata value. `general.alignment` also sets the alignment of the data.
    #[must_use]
    pub fn set(mut self, key: &str, value: Value) -> Self {
        if let ("general.alignment", Value::U32(bytes)) = (key, &value) {
            self.alignment = (*bytes as usize).max(1);
        }
        self.metadata.push((key.to_owned(), value));
        self
    }

    /// Adds a tensor of zeros; for an unknown type, an empty tensor.
    #[must_use]
    pub fn tensor(self, name: &str, dims: &[u64], ggml_type: GgmlType) -> Self {
        let elements: u64 = dims.iter().product();
        let (block, bytes) = ggml_type.block().unwrap_or((1, 0));
        let size = usize::try_from(elements / block * bytes).unwrap_or(0);
        self.tensor_with(name, dims, ggml_type, vec![0; size])
    }

    /// Adds a tensor with its data.
    #[must_use]
    pub fn tensor_with(
        mut self,
        name: &str,
        dims: &[u64],
        ggml_type: GgmlType,
        data: Vec<u8>,
    ) -> Self {
        self.tensors.push(NewTensor {
            name: name.to_owned(),
            dims: dims.to_vec(),
            ggml_type,
            data,
        });
        self
    }

    /// Returns the bytes of the file.
    pub fn build(&self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(self.version.to_le_bytes());
        out.extend((self.tensors.len() as u64).to_le_bytes());
        out.extend((self.metadata.len() as u64).to_le_bytes());
        for (key, value) in &self.metadata {
            put_text(&mut out, key);
            out.extend((type_of(value) as u32).to_le_bytes());
            put_value(&mut out, value);
        }
        let mut data = Vec::new();
        for tensor in &self.tensors {
            put_text(&mut out, &tensor.name);
            out.extend(u32::try_from(tensor.dims.len()).unwrap_or(0).to_le_bytes());
            out.extend(tensor.dims.iter().flat_map(|dim| dim.to_le_bytes()));
            out.extend(tensor.ggml_type.0.to_le_bytes());
            out.extend((data.len() as u64).to_le_bytes());
            data.extend(&tensor.data);
            data.resize(data.len().next_multiple_of(self.alignment), 0);
        }
        if !data.is_empty() {
            out.resize(out.len().next_multiple_of(self.alignment), 0);
        }
        out.extend(data);
        out
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

fn type_of(value: &Value) -> ValueType {
    match value {
        Value::U8(_) => ValueType::U8,
        Value::I8(_) => ValueType::I8,
        Value::U16(_) => ValueType::U16,
        Value::I16(_) => ValueType::I16,
        Value::U32(_) => ValueType::U32,
        Value::I32(_) => ValueType::I32,
        Value::U64(_) => ValueType::U64,
        Value::I64(_) => ValueType::I64,
        Value::F32(_) => ValueType::F32,
        Value::F64(_) => ValueType::F64,
        Value::Bool(_) => ValueType::Bool,
        Value::String(_) | Value::SkippedString { .. } => ValueType::String,
        Value::Array(_) | Value::SkippedArray { .. } => ValueType::Array,
    }
}

/// Writes a value without its type; a skipped value becomes zeros of its length.
fn put_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::U8(n) => out.extend(n.to_le_bytes()),
        Value::I8(n) => out.extend(n.to_le_bytes()),
        Value::U16(n) => out.extend(n.to_le_bytes()),
        Value::I16(n) => out.extend(n.to_le_bytes()),
        Value::U32(n) => out.extend(n.to_le_bytes()),
        Value::I32(n) => out.extend(n.to_le_bytes()),
        Value::U64(n) => out.extend(n.to_le_bytes()),
        Value::I64(n) => out.extend(n.to_le_bytes()),
        Value::F32(n) => out.extend(n.to_le_bytes()),
        Value::F64(n) => out.extend(n.to_le_bytes()),
        Value::Bool(yes) => out.push(u8::from(*yes)),
        Value::String(text) => put_text(out, text),
        Value::SkippedString { len } => {
            out.extend(len.to_le_bytes());
            out.extend((0..*len).map(|_| 0));
        }
        Value::Array(values) => {
            let of = values.first().map_or(ValueType::U8, type_of);
            out.extend((of as u32).to_le_bytes());
            out.extend((values.len() as u64).to_le_bytes());
            for value in values {
                put_value(out, value);
            }
        }
        Value::SkippedArray { of, len } => {
            out.extend((*of as u32).to_le_bytes());
            out.extend(len.to_le_bytes());
            // An empty string consists of its length only.
            let size = of.fixed_size().unwrap_or(8);
            out.extend((0..len.saturating_mul(size)).map(|_| 0));
        }
    }
}
