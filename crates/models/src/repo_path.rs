//! Paths of files in a repository.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Maximum length of a path; Linux allows 4096 bytes with the directories above.
const MAX_PATH_BYTES: usize = 1024;
/// Maximum length of a component, which is Linux' limit.
const MAX_COMPONENT_BYTES: usize = 255;

/// The path of a file in a repository: relative, with `/` between components, and below any directory that it is joined
/// to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoPath(String);

/// A path that could leave the directory that it is joined to, or that no file can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the file name {name:?} is refused: {reason}")]
pub struct RepoPathError {
    /// The path.
    pub name: String,
    /// The reason.
    pub reason: &'static str,
}

impl FromStr for RepoPath {
    type Err = RepoPathError;

    fn from_str(text: &str) -> Result<Self, RepoPathError> {
        match refusal(text) {
            None => Ok(Self(text.to_owned())),
            Some(reason) => Err(RepoPathError {
                name: text.chars().take(MAX_COMPONENT_BYTES).collect(),
                reason,
            }),
        }
    }
}

/// Returns why a text is no path of a file in a repository.
fn refusal(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        return Some("it is empty");
    }
    if text.starts_with('/') {
        return Some("it is an absolute path");
    }
    if text.len() > MAX_PATH_BYTES {
        return Some("it is too long");
    }
    if text.contains('\\') || text.chars().any(char::is_control) {
        return Some("it has a backslash or a control character");
    }
    text.split('/').find_map(|component| match component {
        "" => Some("it has an empty component"),
        "." | ".." => Some("it has a component `.` or `..`"),
        long if long.len() > MAX_COMPONENT_BYTES => Some("a component is too long"),
        _ => None,
    })
}

impl RepoPath {
    /// Returns the path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the last component.
    pub fn file_name(&self) -> &str {
        self.0.rsplit_once('/').map_or(&self.0, |(_, name)| name)
    }

    /// Returns the text before the last slash; empty if there is none.
    pub(crate) fn directory(&self) -> &str {
        self.0
            .rsplit_once('/')
            .map_or("", |(directory, _)| directory)
    }

    /// Returns the directory, then each one above it; last the empty text.
    pub(crate) fn directory_and_parents(&self) -> impl Iterator<Item = &str> {
        std::iter::successors(Some(self.directory()), |directory| {
            let above = directory.rsplit_once('/').map(|(above, _)| above);
            above.or_else(|| (!directory.is_empty()).then_some(""))
        })
    }

    /// Returns the components before the last.
    pub(crate) fn directories(&self) -> Vec<&str> {
        let mut components: Vec<_> = self.0.split('/').collect();
        components.pop();
        components
    }

    /// Returns the path with a valid component before it.
    pub(crate) fn below_component(&self, component: &str) -> Self {
        debug_assert!(refusal(component).is_none(), "{component:?}");
        Self(format!("{component}/{}", self.0))
    }

    /// Returns the path below a directory.
    pub fn below(&self, directory: &Path) -> PathBuf {
        directory.join(&self.0)
    }
}

impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_could_leave_their_directory_are_refused() {
        for path in [
            "a.gguf",
            "Q4_K_M/a-00001-of-00002.gguf",
            "a b/c",
            "..a/b..",
            ".hidden",
        ] {
            assert_eq!(
                path.parse::<RepoPath>().map(|path| path.0),
                Ok(path.to_owned())
            );
        }
        for path in [
            "",
            "/",
            "/a",
            "../a",
            "a/../b",
            "a/..",
            "..",
            ".",
            "./a",
            "a//b",
            "a/",
            "a\\b",
            "..\\a",
            "a\0b",
            "a\nb",
            &"x".repeat(256),
            &"x/".repeat(600),
        ] {
            assert!(path.parse::<RepoPath>().is_err(), "{path:?}");
        }
    }
}
