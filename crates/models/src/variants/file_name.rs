//! Reads the name of a GGUF file: its quantisation, its part, its purpose.

use crate::RepoPath;

/// Ending of a model file's name; case matters, as in llama.cpp.
pub(crate) const ENDING: &str = ".gguf";

/// Words in names of files that are no models: projectors, importance matrices and draft models that llama.cpp pairs
/// with a model (common/download.cpp, `gguf_filename_is_model`).
const OTHER_PURPOSES: [&str; 6] = ["mmproj", "imatrix", "mtp-", "eagle3-", "dflash-", "dspark-"];

/// The name of a part of a split model: `PREFIX-00001-of-00003.gguf`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SplitName<'a> {
    /// The path before the number.
    pub(crate) prefix: &'a str,
    /// The part's number, counted from 1.
    pub(crate) index: usize,
    /// The number of parts, at least 2.
    pub(crate) count: usize,
}

impl SplitName<'_> {
    /// Returns the path of another part.
    pub(crate) fn part(&self, index: usize) -> String {
        format!("{}-{index:05}-of-{:05}{ENDING}", self.prefix, self.count)
    }
}

/// Parses the name of a part of a split model.
pub(crate) fn split_name(path: &str) -> Option<SplitName<'_>> {
    let stem = path.strip_suffix(ENDING)?;
    let (rest, count) = stem.rsplit_once("-of-")?;
    let (prefix, index) = rest.rsplit_once('-')?;
    let number = |digits: &str| {
        let is_number = digits.len() == 5 && digits.bytes().all(|digit| digit.is_ascii_digit());
        is_number.then(|| digits.parse().ok()).flatten()
    };
    let (index, count) = (number(index)?, number(count)?);
    (!prefix.is_empty() && count > 1).then_some(SplitName {
        prefix,
        index,
        count,
    })
}

/// Returns whether the file is a model rather than a part of another purpose.
pub(super) fn is_model(path: &RepoPath) -> bool {
    let name = path.file_name();
    name.ends_with(ENDING) && !OTHER_PURPOSES.iter().any(|word| name.contains(word))
}

/// Returns whether the file is a projector.
pub(super) fn is_projector(path: &RepoPath) -> bool {
    path.as_str().ends_with(ENDING) && path.file_name().contains("mmproj")
}

/// Returns the quantisation that the name shows, in upper case: `Q4_K_M` of `gemma-3-4b-it-Q4_K_M.gguf`, and
/// `UD-Q4_K_XL` of `gemma-UD-Q4_K_XL.gguf`. If the file's name shows none, its directory may: `BF16/model.gguf`.
pub(super) fn quantisation(path: &RepoPath) -> Option<String> {
    let stem = stem(path);
    let directory = path.directories().last().copied();
    let name = stem.rsplit_once('/').map_or(stem, |(_, name)| name);
    [Some(name), directory]
        .into_iter()
        .flatten()
        .find_map(|name| {
            let tag = last_word(name);
            if !is_quantisation(tag) {
                return None;
            }
            // Unsloth's dynamic quantisations are named like others, but for a prefix.
            let rest = name.strip_suffix(tag)?.to_ascii_uppercase();
            let prefix = if rest == "UD-" || rest.ends_with("-UD-") || rest.ends_with(".UD-") {
                "UD-"
            } else {
                ""
            };
            Some(format!("{prefix}{}", tag.to_ascii_uppercase()))
        })
}

/// Returns the first number in the quantisation: 4 for `Q4_K_M`; 0 without one.
pub(super) fn quantisation_bits(path: &RepoPath) -> u32 {
    let tag = last_word(stem(path));
    let digits = tag.trim_start_matches(|char: char| !char.is_ascii_digit());
    let end = digits
        .find(|char: char| !char.is_ascii_digit())
        .unwrap_or(digits.len());
    digits[..end].parse().unwrap_or(0)
}

/// Returns the path without the number of the part and without ending.
fn stem(path: &RepoPath) -> &str {
    let path = path.as_str();
    match split_name(path) {
        Some(split) => split.prefix,
        None => path.strip_suffix(ENDING).unwrap_or(path),
    }
}

/// Returns the letters, digits and underscores after the last `-` or `.`; all of the text if it has neither.
fn last_word(text: &str) -> &str {
    let word = text.rsplit(['-', '.', '/']).next().unwrap_or_default();
    let is_word = word
        .chars()
        .all(|char| char.is_ascii_alphanumeric() || char == '_');
    if is_word { word } else { "" }
}

/// Returns whether a word is the name of a quantisation: `Q4_0`, `IQ2_XXS`, `TQ1_0`, `MXFP4`, `F16`, `BF16`.
fn is_quantisation(word: &str) -> bool {
    let word = word.to_ascii_uppercase();
    let families = ["Q", "IQ", "TQ", "F", "BF", "FP", "MXFP", "NVFP"];
    families.iter().any(|family| {
        let rest = word.strip_prefix(family);
        rest.is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
    })
}
