//! Files that no engine loads as a model, told from their headers.

use crate::header::Header;
use crate::memory::{self, Options, Unpredictable};

/// Reasons why a file is no model that can be loaded by itself. The messages complete the sentence "the file …".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unloadable {
    /// The file says that it is something that belongs to a model: an adapter or an importance matrix.
    #[error("is of type `{0}`, which is used with a model and is none itself")]
    Kind(String),
    /// The file has a header and no weights, as vocabularies for tests do.
    #[error("has no tensors, so there is nothing to load")]
    NoTensors,
    /// The header lacks what llama.cpp b11434 wants of every model.
    #[error(transparent)]
    Header(#[from] Unpredictable),
}

impl Unloadable {
    /// Returns whether something is merely absent that llama.cpp wants; another engine may do without.
    pub fn is_a_gap(&self) -> bool {
        matches!(self, Self::Header(Unpredictable::Missing(_)))
    }
}

/// Checks what the headers of a model's parts show without its data.
///
/// llama.cpp b11434 refuses the same files, `src/llama-model.cpp`: it needs an architecture, 1 to 512 layers, the
/// lengths of context and embedding, and at least the embedding's tensor.
///
/// # Errors
///
/// [`Unloadable`], when loading cannot succeed.
pub fn check_loadable(parts: &[Header]) -> Result<(), Unloadable> {
    let first = parts.first().ok_or(Unpredictable::NoParts)?;
    let kind = first.get("general.type").and_then(|kind| kind.as_str());
    if let Some(kind @ ("adapter" | "imatrix")) = kind {
        return Err(Unloadable::Kind(kind.to_owned()));
    }
    memory::predict(parts, &Options::default())?;
    if parts.iter().all(|part| part.tensors.is_empty()) {
        return Err(Unloadable::NoTensors);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ggml::GgmlType;
    use crate::value::Value;
    use crate::write::Builder;

    fn model(layers: Value) -> Builder {
        Builder::new("llama")
            .set("llama.block_count", layers)
            .set("llama.context_length", Value::U32(512))
            .set("llama.embedding_length", Value::U32(64))
    }

    fn verdict(file: &Builder) -> String {
        let header = Header::read(&file.build()[..]).unwrap();
        match check_loadable(&[header]) {
            Ok(()) => "loadable".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_header_shows_that_nothing_can_be_loaded() {
        let tensor = |file: Builder| file.tensor("token_embd.weight", &[64, 8], GgmlType::F32);
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
            (tensor(model(kind("2"))), "does not say `llama.block_count`"),
            (tensor(Builder::new("clip")), "is a projector"),
            (
                tensor(Builder::new("llama")),
                "does not say `llama.block_count`",
            ),
        ] {
            let found = verdict(&file);
            assert!(found.starts_with(expected), "{expected}: {found}");
        }
    }
}
