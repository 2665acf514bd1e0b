//! Names discovered models after their files.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use paddock_gguf::strip_part_suffix;

use super::super::cross_checks::model_name_error;
use super::{GgufFile, SkippedFile};

/// Gives each model the shortest unique name.
///
/// 1. Its file: `gemma`.
/// 2. If several files have that name, the path below the configured directory: `q4/gemma`.
/// 3. If that is not unique either, with the configured directory: `models/q4/gemma`.
/// 4. Files without a unique name, or whose name clients cannot send, are skipped.
pub(super) fn assign(
    models: Vec<GgufFile>,
    skipped: &mut Vec<SkippedFile>,
) -> Vec<(String, PathBuf)> {
    let mut names: Vec<_> = models
        .iter()
        .map(|file| name(Path::new(""), file))
        .collect();
    for longer in [below_root, with_root] {
        let shared = find_duplicates(&names);
        for ((name, file), shared) in names.iter_mut().zip(&models).zip(shared) {
            if shared {
                *name = longer(file);
            }
        }
    }
    let mut given: HashMap<String, PathBuf> = HashMap::new();
    for (name, file) in names.into_iter().zip(models) {
        if let Some(reason) = model_name_error(&name) {
            skipped.push(SkippedFile::new(
                file.path,
                format!("cannot be served under its file name: {reason}"),
            ));
        } else if let Some(first) = given.get(&name) {
            let reason = format!("would have the same name as {}: `{name}`", first.display());
            skipped.push(SkippedFile::new(file.path, reason));
        } else {
            given.insert(name, file.path);
        }
    }
    given.into_iter().collect()
}

/// Returns for each name whether it occurs more than once.
fn find_duplicates(names: &[String]) -> Vec<bool> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    names
        .iter()
        .map(|name| counts.get(name.as_str()).is_some_and(|&count| count > 1))
        .collect()
}

/// Returns the name of rule 2.
fn below_root(file: &GgufFile) -> String {
    name(below(file), file)
}

/// Returns the name of rule 3.
fn with_root(file: &GgufFile) -> String {
    let root = Path::new(file.root.file_name().unwrap_or_default());
    name(&root.join(below(file)), file)
}

/// Returns the directories between the configured one and the file.
fn below(file: &GgufFile) -> &Path {
    let directory = file.directory();
    directory.strip_prefix(&file.root).unwrap_or(directory)
}

/// Joins directories and the file's name; replaces spaces, which clients cannot send safely, by hyphens.
fn name(directory: &Path, file: &GgufFile) -> String {
    let mut name = String::new();
    for component in directory.components() {
        if let Component::Normal(component) = component {
            name.push_str(&component.to_string_lossy());
            name.push('/');
        }
    }
    name.push_str(strip_part_suffix(&file.stem));
    name.replace(char::is_whitespace, "-")
}
