//! What a GGUF header says.

use std::collections::BTreeMap;

use crate::ggml::GgmlType;
use crate::split::Split;
use crate::value::Value;

/// The header of a model file: everything but the tensor data.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Header {
    /// The format's version, 2 or 3.
    pub version: u32,
    /// The metadata; values too large to keep are there by type and length.
    pub metadata: BTreeMap<String, Value>,
    /// The tensors, in the order of the file.
    pub tensors: Vec<Tensor>,
    /// What tensor data is aligned to, in bytes; a power of two.
    pub alignment: u64,
    /// Where the tensor data begins, in bytes from the start of the file.
    pub data_offset: u64,
    /// How long the file must be for its tensors to be there, in bytes.
    ///
    /// A tensor of a type that is not known counts as empty, so the true need can be greater.
    pub file_len: u64,
}

/// One line of the tensor table.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Tensor {
    /// The tensor's name; bytes that are not UTF-8 are replaced.
    pub name: String,
    /// Elements per dimension; one to four, the first is the row.
    pub dims: Vec<u64>,
    /// The data type.
    pub ggml_type: GgmlType,
    /// Where the data begins, in bytes from [`Header::data_offset`].
    pub offset: u64,
    /// How many bytes the data takes; `None` when the type is not known.
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

    /// Returns which part of how many this file is, if the model is split over several.
    pub fn split(&self) -> Option<Split> {
        let count = u32::try_from(self.get("split.count")?.as_u64()?).ok()?;
        let index = self.get("split.no").and_then(Value::as_u64).unwrap_or(0);
        let index = u32::try_from(index).ok()?;
        (count > 1).then_some(Split { index, count })
    }
}
