//! Names of installed engines.

use std::fmt;
use std::str::FromStr;

use crate::Flavour;

const MAX_NAME_LENGTH: usize = 100;

/// Endings of directories that are not complete engines.
pub(crate) const UNPACKING_SUFFIX: &str = ".unpacking";
pub(crate) const REMOVING_SUFFIX: &str = ".removing";

/// Name of the link to the engine in use.
pub(crate) const CURRENT_LINK: &str = "current";

/// An engine's name, which is also its directory's: the release's tag and, unless the build is for processors alone, its
/// flavour, as in `b11434-vulkan`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EngineName(String);

/// The reason why a text is no engine's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` is not a valid engine name: only letters, digits, `.`, `_` and `-`, at most 100, not beginning with `.` or `-`",
    .0.escape_debug()
)]
pub struct EngineNameError(String);

impl EngineName {
    /// Creates the name of a release's build.
    pub fn from_release(tag: &str, flavour: &Flavour) -> Result<Self, EngineNameError> {
        if flavour.as_str().is_empty() {
            return tag.parse();
        }
        format!("{tag}-{}", flavour.as_str()).parse()
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EngineName {
    type Err = EngineNameError;

    fn from_str(text: &str) -> Result<Self, EngineNameError> {
        let is_allowed = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
        let is_valid = !text.is_empty()
            && text.len() <= MAX_NAME_LENGTH
            && text.chars().all(is_allowed)
            && !text.starts_with(['.', '-'])
            && text != CURRENT_LINK
            && !text.ends_with(UNPACKING_SUFFIX)
            && !text.ends_with(REMOVING_SUFFIX);
        if is_valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(EngineNameError(text.to_owned()))
        }
    }
}

impl fmt::Display for EngineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_single_components_of_a_path() {
        for name in ["b11434", "b11434-vulkan", "v1.2.3", "local_1"] {
            assert_eq!(name.parse::<EngineName>().unwrap().as_str(), name);
        }
        let long = "a".repeat(MAX_NAME_LENGTH + 1);
        for name in [
            "",
            ".",
            "..",
            ".lock",
            "-x",
            "a/b",
            "../x",
            "a b",
            "current",
            "b1.unpacking",
            "b1.removing",
            "a\0",
            "é",
            &long,
        ] {
            assert!(name.parse::<EngineName>().is_err(), "{name}");
        }
    }
}
