//! Chooses a model of a repository.

use super::{HasRepoPath, Variant};

/// The quantisations that are taken if none is named, in this order (llama.cpp's `find_best_model`).
const DEFAULTS: [&str; 2] = ["Q4_K_M", "Q8_0"];

/// A reason why no model is chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChooseError {
    /// The repository has no models.
    #[error("there is no GGUF model")]
    Empty,
    /// The repository has models, but not this one.
    #[error("there is no {wanted}, only {}", .available.join(", "))]
    Absent {
        /// The quantisation or file.
        wanted: String,
        /// The names of the models that there are.
        available: Vec<String>,
    },
}

/// Chooses the model with this name, or with this file; without a name the one of medium size that llama.cpp takes.
///
/// # Errors
///
/// There is no such model.
pub fn choose<'a, F: HasRepoPath>(
    variants: &'a [Variant<F>],
    wanted: Option<&str>,
) -> Result<&'a Variant<F>, ChooseError> {
    let Some(wanted) = wanted else {
        let default = DEFAULTS.iter().find_map(|name| find(variants, name));
        return default.or(variants.first()).ok_or(ChooseError::Empty);
    };
    if variants.is_empty() {
        return Err(ChooseError::Empty);
    }
    find(variants, wanted).ok_or_else(|| ChooseError::Absent {
        wanted: wanted.to_owned(),
        available: variants
            .iter()
            .map(|variant| variant.name.clone())
            .collect(),
    })
}

/// Finds a model by its file or name, or, as llama.cpp does, by words of its path that end before `.` or `-`. Unlike
/// there, they also begin at the start of a word: `Q4_0` is not `IQ4_0`.
fn find<'a, F: HasRepoPath>(variants: &'a [Variant<F>], wanted: &str) -> Option<&'a Variant<F>> {
    let lower = wanted.to_ascii_lowercase();
    let contains = |variant: &&Variant<F>| {
        let path = variant.path().to_ascii_lowercase();
        path.match_indices(&lower).any(|(start, word)| {
            let is_start = start == 0 || path[..start].ends_with(['.', '-', '/']);
            is_start && path[start + word.len()..].starts_with(['.', '-'])
        })
    };
    find_exact(variants, wanted).or_else(|| variants.iter().find(contains))
}

/// Finds a model by its file or its whole name.
pub(crate) fn find_exact<'a, F: HasRepoPath>(
    variants: &'a [Variant<F>],
    wanted: &str,
) -> Option<&'a Variant<F>> {
    let find = |is_wanted: &dyn Fn(&Variant<F>) -> bool| {
        let mut all = variants.iter();
        all.find(|variant| is_wanted(variant))
    };
    find(&|variant| variant.has_file(wanted))
        .or_else(|| find(&|variant| variant.name == wanted))
        .or_else(|| find(&|variant| variant.name.eq_ignore_ascii_case(wanted)))
}
