//! Detects files that no engine can load as a model, by their headers.

use crate::header::Header;
use crate::memory::{self, MemoryOptions, Unpredictable};

/// The reason a file cannot be loaded as a model. Messages complete the sentence "the file …".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unloadable {
    /// The file declares itself an adapter or an importance matrix.
    #[error("is of type `{0}`, which is not a complete model")]
    Kind(String),
    /// The file has a header and no weights, as test vocabularies do.
    #[error("has no tensors, so there is nothing to load")]
    NoTensors,
    /// The header lacks a value that llama.cpp b11434 requires.
    #[error(transparent)]
    Header(#[from] Unpredictable),
}

impl Unloadable {
    /// Returns true if only a metadata key is missing; other engines may not need the key.
    pub fn is_missing_key(&self) -> bool {
        matches!(self, Self::Header(Unpredictable::Missing(_)))
    }
}

/// Checks the headers of a model's parts for defects that make loading impossible.
///
/// llama.cpp b11434 refuses the same files (`src/llama-model.cpp`): it requires an architecture, 1
/// to 512 layers, the context and embedding lengths, and at least the embedding tensor.
///
/// # Errors
///
/// [`Unloadable`] if loading cannot succeed.
pub fn check_loadable(parts: &[Header]) -> Result<(), Unloadable> {
    let first = parts.first().ok_or(Unpredictable::NoParts)?;
    let kind = first.get("general.type").and_then(|kind| kind.as_str());
    if let Some(kind @ ("adapter" | "imatrix")) = kind {
        return Err(Unloadable::Kind(kind.to_owned()));
    }
    memory::predict(parts, &MemoryOptions::default())?;
    if parts.iter().all(|part| part.tensors.is_empty()) {
        return Err(Unloadable::NoTensors);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::GgufBuilder;
    use crate::ggml_type::GgmlType;
    use crate::value::Value;

    fn model(layers: Value) -> GgufBuilder {
        GgufBuilder::new("llama")
            .set("llama.block_count", layers)
            .set("llama.context_length", Value::U32(512))
            .set("llama.embedding_length", Value::U32(64))
    }

    fn check(file: &GgufBuilder) -> String {
        let header = Header::read(&file.build()[..]).unwrap();
        match check_loadable(&[header]) {
            Ok(()) => "loadable".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn unloadable_headers_are_detected() {
        let tensor = |file: GgufBuilder| file.tensor("token_embd.weight", &[64, 8], GgmlType::F32);
        let kind = |kind: &str| Value::String(kind.to_owned());
        let whole = || tensor(model(Value::U32(2)));
        for (file, expected) in [
            (whole(), "loadable"),
            (whole().set("general.type", kind("model")), "loadable"),
            (
                whole().set("general.type", kind("adapter")),
                "is of type `adapter`",
            ),
            (
                whole().set("general.type", kind("imatrix")),
                "is of type `imatrix`",
            ),
            (model(Value::U32(2)), "has no tensors"),
            (tensor(model(Value::U32(0))), "claims 0 layers"),
            (tensor(model(Value::U32(100_000))), "claims 100000 layers"),
            (
                tensor(model(kind("2"))),
                "lacks the metadata key `llama.block_count`",
            ),
            (tensor(GgufBuilder::new("clip")), "is a projector"),
            (
                tensor(GgufBuilder::new("llama")),
                "lacks the metadata key `llama.block_count`",
            ),
        ] {
            let found = check(&file);
            assert!(found.starts_with(expected), "{expected}: {found}");
        }
    }
}
