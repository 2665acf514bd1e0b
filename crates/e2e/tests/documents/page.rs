//! A document, and what is shown in it.

use std::fs;
use std::path::{Path, PathBuf};

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A document's text.
pub(crate) fn document(name: &str) -> String {
    let path = root().join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The fenced blocks of a language.
pub(crate) fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let starts = text.split(&fence).skip(1);
    starts
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

/// A command as it is shown.
#[derive(Debug)]
pub(crate) struct Shown {
    /// The command, without its prompt.
    pub(crate) line: String,
    /// What is shown under it, line by line; `…` stands for what depends on the machine.
    pub(crate) says: Vec<String>,
}

impl Shown {
    /// A command that says something or other.
    pub(crate) fn line(line: &str) -> Self {
        let line = line.to_owned();
        let says = Vec::new();
        Self { line, says }
    }
}

/// The commands of a document, in their order.
pub(crate) fn commands(text: &str) -> Vec<Shown> {
    let mut shown: Vec<Shown> = Vec::new();
    for line in blocks(text, "console")
        .iter()
        .flat_map(|block| block.lines())
    {
        if let Some(line) = line.strip_prefix("$ ") {
            shown.push(Shown::line(line));
        } else if let Some(last) = shown.last_mut() {
            last.says.push(line.to_owned());
        }
    }
    assert!(!shown.is_empty(), "no commands are shown");
    shown
}

/// The rows of a document's tables, without their heads.
pub(crate) fn rows(text: &str) -> Vec<Vec<String>> {
    let rows = text.lines().filter_map(|line| {
        let cells = line.strip_prefix("| ")?.strip_suffix(" |")?;
        Some(cells.split(" | ").map(str::to_owned).collect())
    });
    rows.collect()
}

/// What stands between backquotes.
pub(crate) fn quoted(text: &str) -> Vec<String> {
    let parts = text.split('`').skip(1).step_by(2);
    parts.map(str::to_owned).collect()
}
