//! Names of repositories on the Hugging Face hub.

use std::fmt;

/// Maximum length of a name, as in llama.cpp (common/hf-cache.cpp, `is_valid_repo_id`).
const MAX_NAME_BYTES: usize = 256;

/// The prefix of a model repository's directory in the hub's cache.
const DIRECTORY_PREFIX: &str = "models--";

/// A repository's name, `USER/REPO`, which is safe as a part of a path.
///
/// Follows llama.cpp's rule: exactly one slash, and each of `/`, `.` and `-` stands between letters, digits or `_`. That
/// excludes `..` and `--`, which separates user and repository in the cache's directory names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoName(String);

impl RepoName {
    /// Parses `USER/REPO`; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_NAME_BYTES || text.matches('/').count() != 1 {
            return None;
        }
        let words = text.split(['/', '.', '-']);
        let is_word = |word: &str| {
            !word.is_empty()
                && word
                    .chars()
                    .all(|char| char.is_ascii_alphanumeric() || char == '_')
        };
        words
            .into_iter()
            .all(is_word)
            .then(|| Self(text.to_owned()))
    }

    /// Returns the name of the repository's directory in the hub's cache.
    pub fn directory(&self) -> String {
        format!("{DIRECTORY_PREFIX}{}", self.0.replace('/', "--"))
    }

    /// Parses the name of a directory in the hub's cache.
    pub fn from_directory(directory: &str) -> Option<Self> {
        let name = directory.strip_prefix(DIRECTORY_PREFIX)?;
        Self::parse(&name.replace("--", "/"))
    }

    /// Returns `USER/REPO`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RepoName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_are_safe_as_paths_are_accepted() {
        for name in [
            "ggml-org/gemma-3-4b-it-GGUF",
            "a/b",
            "u_1/r.2",
            "TheBloke/Llama-2-7B_x",
        ] {
            let parsed = RepoName::parse(name).unwrap_or_else(|| panic!("{name}"));
            assert_eq!(
                RepoName::from_directory(&parsed.directory()),
                Some(parsed),
                "{name}"
            );
        }
        for name in [
            "", "a", "a/", "/b", "a/b/c", "../b", "a/..", "a/.b", "a--b/c", "a/b--c", "a/-b",
            "a/b.", "a b/c", "a/b\0", "a\\b/c", "ä/b", "a/b:c",
        ] {
            assert_eq!(RepoName::parse(name), None, "{name}");
        }
        assert_eq!(RepoName::parse(&format!("a/{}", "b".repeat(255))), None);
    }

    #[test]
    fn directories_of_other_kinds_are_no_models() {
        for name in [
            "datasets--a--b",
            "models--a",
            "models--a--b--c",
            ".locks",
            "version.txt",
        ] {
            assert_eq!(RepoName::from_directory(name), None, "{name}");
        }
    }
}
