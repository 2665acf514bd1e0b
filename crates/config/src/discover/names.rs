//! Naming models after their files.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use paddock_gguf::strip_part_suffix;

use super::super::checks::bad_name;
use super::{File, Skipped};

/// Names each model as shortly as tells it from the others.
///
/// 1. By its file: `gemma`.
/// 2. Where files share that name, each by its path below the directory that was named: `q4/gemma`.
/// 3. Where that is still one name for several, with that directory in front: `models/q4/gemma`.
/// 4. What has no name of its own then, or none that a client can send, is skipped.
pub(super) fn give(models: Vec<File>, skipped: &mut Vec<Skipped>) -> Vec<(String, PathBuf)> {
    let mut names: Vec<_> = models
        .iter()
        .map(|file| name(Path::new(""), file))
        .collect();
    for longer in [below_root, with_root] {
        let shared = shared(&names);
        for ((name, file), shared) in names.iter_mut().zip(&models).zip(shared) {
            if shared {
                *name = longer(file);
            }
        }
    }
    let mut given: HashMap<String, PathBuf> = HashMap::new();
    for (name, file) in names.into_iter().zip(models) {
        if let Some(reason) = bad_name(&name) {
            skipped.push(Skipped::new(
                file.path,
                format!("cannot be called after its file: {reason}"),
            ));
        } else if let Some(first) = given.get(&name) {
            let reason = format!("would be called `{name}`, as {} is", first.display());
            skipped.push(Skipped::new(file.path, reason));
        } else {
            given.insert(name, file.path);
        }
    }
    given.into_iter().collect()
}

fn shared(names: &[String]) -> Vec<bool> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    names
        .iter()
        .map(|name| counts.get(name.as_str()).is_some_and(|&count| count > 1))
        .collect()
}

fn below_root(file: &File) -> String {
    name(below(file), file)
}

fn with_root(file: &File) -> String {
    let root = Path::new(file.root.file_name().unwrap_or_default());
    name(&root.join(below(file)), file)
}

/// Returns the directories between the one that was named and the file.
fn below(file: &File) -> &Path {
    let directory = file.directory();
    directory.strip_prefix(&file.root).unwrap_or(directory)
}

/// Joins directories and the file's own name; spaces, which clients cannot send safely, are hyphens.
fn name(directory: &Path, file: &File) -> String {
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
