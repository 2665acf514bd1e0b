//! Parses a header from untrusted bytes.

use std::collections::{BTreeMap, HashSet};
use std::io::Read;

use crate::bounded_reader::BoundedReader;
use crate::error::Error;
use crate::ggml_type::GgmlType;
use crate::header::{Header, Tensor};
use crate::limits;
use crate::value::{Value, ValueType};

/// The metadata key for the alignment of tensor data.
const ALIGNMENT_KEY: &str = "general.alignment";
/// The alignment in bytes without that key, as the format defines.
const DEFAULT_ALIGNMENT: u32 = 32;

impl Header {
    /// Reads a header and no bytes after it.
    ///
    /// # Errors
    ///
    /// Any [`Error`] except [`Error::Truncated`], which requires the file's length.
    pub fn read(input: impl Read) -> Result<Self, Error> {
        let mut input = BoundedReader::new(input);
        let version = read_version(&mut input)?;
        let tensor_count = input.read_count("a tensor count", limits::MAX_TENSORS)?;
        let pairs = input.read_count("a metadata count", limits::MAX_METADATA_ENTRIES)?;
        let metadata = read_metadata(&mut input, pairs)?;
        let alignment = read_alignment(&metadata)?;
        let tensors = read_tensors(&mut input, tensor_count, alignment)?;
        let mut data_offset = input.position();
        if !tensors.is_empty() {
            // Both are far below 2^63: the position by `limits::MAX_HEADER_BYTES`, the alignment by
            // its type.
            data_offset = data_offset.next_multiple_of(alignment);
        }
        let file_len = tensors.iter().fold(input.position(), |len, tensor| {
            let end = tensor.offset.saturating_add(tensor.size.unwrap_or(0));
            len.max(data_offset.saturating_add(end))
        });
        Ok(Self {
            version,
            metadata,
            tensors,
            alignment,
            data_offset,
            file_len,
        })
    }
}

/// Reads the magic bytes and the version.
fn read_version<R: Read>(input: &mut BoundedReader<R>) -> Result<u32, Error> {
    let mut start = [0; 64];
    let mut filled = input.read_up_to(&mut start[..4])?;
    if filled == 0 {
        return Err(Error::Empty);
    }
    if !start.starts_with(b"GGUF") {
        filled += input.read_up_to(&mut start[4..])?;
        return Err(Error::NotGguf(describe_start(&start[..filled])));
    }
    match input.read_u32()? {
        version @ (2 | 3) => Ok(version),
        version if version != 0 && version.trailing_zeros() >= 16 => Err(Error::BigEndian),
        version => Err(Error::Version(version)),
    }
}

/// Describes a file that is not GGUF, by its first bytes.
fn describe_start(start: &[u8]) -> String {
    let lower = start.to_ascii_lowercase();
    let known = if start.starts_with(b"version https://git-lfs") {
        "it is a Git LFS pointer; `git lfs pull` downloads the model"
    } else if lower.starts_with(b"<!doctype") || lower.starts_with(b"<html") {
        "it is a web page, so the download probably failed"
    } else if start.starts_with(b"PK\x03\x04") {
        "it is a zip archive"
    } else if [&b"lmgg"[..], b"tjgg", b"fmgg", b"algg"].contains(&&start[..start.len().min(4)]) {
        "it uses an old ggml format, which llama.cpp no longer reads"
    } else if lower.get(8..).is_some_and(|rest| rest.starts_with(b"{\"")) {
        "it looks like safetensors; convert it with llama.cpp's convert_hf_to_gguf.py"
    } else {
        let first = &start[..start.len().min(4)];
        return format!("it begins with `{}`", first.escape_ascii());
    };
    known.to_owned()
}

fn read_metadata<R: Read>(
    input: &mut BoundedReader<R>,
    pairs: u64,
) -> Result<BTreeMap<String, Value>, Error> {
    let mut metadata = BTreeMap::new();
    let mut budget = limits::MAX_KEPT_METADATA_BYTES;
    for _ in 0..pairs {
        let len = input.read_count("a metadata key length", limits::MAX_KEY_BYTES.min(budget))?;
        let key = input.read_text(len)?;
        budget = budget.saturating_sub(key.len() as u64);
        let value = read_value(input, &key, &mut budget)?;
        if metadata.contains_key(&key) {
            let what = "metadata key";
            return Err(Error::Duplicate { what, name: key });
        }
        metadata.insert(key, value);
    }
    Ok(metadata)
}

fn read_value<R: Read>(
    input: &mut BoundedReader<R>,
    key: &str,
    budget: &mut u64,
) -> Result<Value, Error> {
    match read_type(input, key)? {
        ValueType::String => {
            let len = input.read_u64()?;
            if len > limits::MAX_KEPT_STRING_BYTES || len > *budget {
                input.skip(len)?;
                return Ok(Value::SkippedString { len });
            }
            *budget -= len;
            input.read_text(len).map(Value::String)
        }
        ValueType::Array => read_array(input, key, budget),
        kind => read_scalar(input, kind),
    }
}

fn read_type<R: Read>(input: &mut BoundedReader<R>, key: &str) -> Result<ValueType, Error> {
    let number = input.read_u32()?;
    ValueType::from_number(number).ok_or_else(|| Error::ValueType {
        key: key.to_owned(),
        number,
    })
}

fn read_array<R: Read>(
    input: &mut BoundedReader<R>,
    key: &str,
    budget: &mut u64,
) -> Result<Value, Error> {
    let of = read_type(input, key)?;
    let len = input.read_u64()?;
    let Some(size) = of.fixed_size() else {
        if of == ValueType::Array {
            return Err(Error::NestedArray(key.to_owned()));
        }
        // Each string takes at least 8 bytes for its length, so the header limit bounds this loop.
        for _ in 0..len {
            let text = input.read_u64()?;
            input.skip(text)?;
        }
        return Ok(Value::SkippedArray { of, len });
    };
    let kept = len.saturating_mul(size_of::<Value>() as u64);
    if len > limits::MAX_KEPT_ARRAY_LEN || kept > *budget {
        input.skip(len.saturating_mul(size))?;
        return Ok(Value::SkippedArray { of, len });
    }
    *budget -= kept;
    let values: Result<_, _> = (0..len).map(|_| read_scalar(input, of)).collect();
    values.map(Value::Array)
}

fn read_scalar<R: Read>(input: &mut BoundedReader<R>, kind: ValueType) -> Result<Value, Error> {
    Ok(match kind {
        ValueType::U8 => Value::U8(u8::from_le_bytes(input.read_bytes()?)),
        ValueType::I8 => Value::I8(i8::from_le_bytes(input.read_bytes()?)),
        ValueType::U16 => Value::U16(u16::from_le_bytes(input.read_bytes()?)),
        ValueType::I16 => Value::I16(i16::from_le_bytes(input.read_bytes()?)),
        ValueType::U32 => Value::U32(input.read_u32()?),
        ValueType::I32 => Value::I32(i32::from_le_bytes(input.read_bytes()?)),
        ValueType::U64 => Value::U64(input.read_u64()?),
        ValueType::I64 => Value::I64(i64::from_le_bytes(input.read_bytes()?)),
        ValueType::F32 => Value::F32(f32::from_le_bytes(input.read_bytes()?)),
        ValueType::F64 => Value::F64(f64::from_le_bytes(input.read_bytes()?)),
        ValueType::Bool => Value::Bool(input.read_bytes::<1>()? != [0]),
        // Callers handle these two types; as a scalar they are empty.
        ValueType::String | ValueType::Array => Value::SkippedString { len: 0 },
    })
}

fn read_alignment(metadata: &BTreeMap<String, Value>) -> Result<u64, Error> {
    let alignment = match metadata.get(ALIGNMENT_KEY) {
        None => DEFAULT_ALIGNMENT,
        Some(Value::U32(alignment)) => *alignment,
        Some(other) => {
            return Err(Error::KeyType {
                key: ALIGNMENT_KEY,
                expected: ValueType::U32,
                found: format!("{other:?}"),
            });
        }
    };
    if !alignment.is_power_of_two() {
        return Err(Error::Alignment(alignment));
    }
    Ok(alignment.into())
}

fn read_tensors<R: Read>(
    input: &mut BoundedReader<R>,
    count: u64,
    alignment: u64,
) -> Result<Vec<Tensor>, Error> {
    let mut tensors = Vec::new();
    let mut names = HashSet::new();
    let mut expected = Some(0);
    for _ in 0..count {
        let tensor = read_tensor(input)?;
        if !names.insert(tensor.name.clone()) {
            let (what, name) = ("tensor", tensor.name);
            return Err(Error::Duplicate { what, name });
        }
        let Tensor { offset, size, .. } = tensor;
        // llama.cpp requires data without gaps; after a tensor of unknown size the check is
        // impossible.
        if let Some(expected) = expected.filter(|&expected| expected != offset) {
            let problem = format!("at offset {offset} instead of {expected}");
            return Err(tensor_error(tensor.name, problem));
        }
        let end = size.map(|size| offset.checked_add(size));
        let end = end.map(|end| end?.checked_next_multiple_of(alignment));
        expected = match end {
            Some(None) => {
                return Err(tensor_error(
                    tensor.name,
                    "that ends beyond the largest possible file size".to_owned(),
                ));
            }
            Some(end) => end,
            None => None,
        };
        tensors.push(tensor);
    }
    Ok(tensors)
}

fn read_tensor<R: Read>(input: &mut BoundedReader<R>) -> Result<Tensor, Error> {
    let len = input.read_count("a tensor name length", limits::MAX_TENSOR_NAME_BYTES)?;
    let name = input.read_text(len)?;
    let dimensions = input.read_u32()?;
    if dimensions > limits::MAX_DIMENSIONS {
        return Err(tensor_error(name, format!("with {dimensions} dimensions")));
    }
    let dims = (0..dimensions)
        .map(|_| input.read_u64())
        .collect::<Result<Vec<_>, _>>()?;
    let ggml_type = GgmlType(input.read_u32()?);
    let offset = input.read_u64()?;
    if ggml_type.is_removed() {
        let (tensor, number) = (name, ggml_type.0);
        return Err(Error::RemovedType { tensor, number });
    }
    let size = match tensor_size(&dims, ggml_type) {
        Ok(size) => size,
        Err(problem) => return Err(tensor_error(name, problem)),
    };
    Ok(Tensor {
        name,
        dims,
        ggml_type,
        offset,
        size,
    })
}

/// Returns a tensor's size in bytes, or `None` if its type is unknown. The error describes the
/// defect.
fn tensor_size(dims: &[u64], ggml_type: GgmlType) -> Result<Option<u64>, String> {
    let too_large = || format!("of {dims:?} elements, too large for any file");
    let elements = dims
        .iter()
        .try_fold(1u64, |product, &dim| product.checked_mul(dim))
        .filter(|&elements| i64::try_from(elements).is_ok())
        .ok_or_else(too_large)?;
    let Some((block, bytes)) = ggml_type.block() else {
        return Ok(None);
    };
    let row = dims.first().copied().unwrap_or(1);
    if !row.is_multiple_of(block) {
        return Err(format!(
            "with rows of {row} elements, which is not a multiple of {block}"
        ));
    }
    let size = (elements / block)
        .checked_mul(bytes)
        .ok_or_else(too_large)?;
    Ok(Some(size))
}

fn tensor_error(tensor: String, problem: String) -> Error {
    Error::Tensor { tensor, problem }
}

#[cfg(test)]
mod tests;
