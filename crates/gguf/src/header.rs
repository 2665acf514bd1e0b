//! Holds the parsed content of a GGUF header.

use std::collections::BTreeMap;

use crate::ggml_type::GgmlType;
use crate::split_part::SplitPart;
use crate::value::Value;

/// The header of a model file: everything except the tensor data.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Header {
    /// The format's version, 2 or 3.
    pub version: u32,
    /// The metadata. Of a value too large to keep, only the type and the length are kept.
    pub metadata: BTreeMap<String, Value>,
    /// The tensors in file order.
    pub tensors: Vec<Tensor>,
    /// The alignment of tensor data in bytes, a power of two.
    pub alignment: u64,
    /// The start of the tensor data, in bytes from the start of the file.
    pub data_offset: u64,
    /// The minimum length in bytes of a complete file.
    ///
    /// Tensors of unknown types count as empty, so the actual length may be greater.
    pub file_len: u64,
}

/// An entry of the tensor table.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Tensor {
    /// The name; invalid UTF-8 is replaced.
    pub name: String,
    /// The elements per dimension, one to four dimensions; the first is the length of a row.
    pub dims: Vec<u64>,
    /// The data type.
    pub ggml_type: GgmlType,
    /// The start of the data, in bytes from [`Header::data_offset`].
    pub offset: u64,
    /// The size of the data in bytes; `None` if the type is unknown.
    pub size: Option<u64>,
}

impl Header {
    /// Returns the metadata value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.metadata.get(key)
    }

    /// Returns the model's architecture, such as `llama` or `gemma3`.
    pub fn architecture(&self) -> Option<&str> {
        self.get("general.architecture")?.as_str()
    }

    /// Returns the position of this file in a split model, or `None` if the model is not split.
    pub fn split(&self) -> Option<SplitPart> {
        let count = u32::try_from(self.get("split.count")?.as_u64()?).ok()?;
        let index = self.get("split.no").and_then(Value::as_u64).unwrap_or(0);
        let index = u32::try_from(index).ok()?;
        (count > 1).then_some(SplitPart { index, count })
    }
}
