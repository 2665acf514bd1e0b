//! Sorts a repository's files into models that can be loaded, and chooses one, by the rules of llama.cpp b11434
//! (common/download.cpp: `get_gguf_split_info`, `find_best_model`, `find_best_sibling`), so that both programs take the
//! same files.

mod choose;
mod file_name;

use std::collections::HashMap;

use crate::{RepoFile, RepoPath};

pub(crate) use choose::find_exact;
pub use choose::{ChooseError, choose};
pub(crate) use file_name::{ENDING, split_name};
use file_name::{is_model, is_projector, quantisation, quantisation_bits};

/// A file with a path in a repository.
pub trait HasRepoPath {
    /// Returns the path.
    fn repo_path(&self) -> &RepoPath;
}

impl HasRepoPath for RepoFile {
    fn repo_path(&self) -> &RepoPath {
        &self.path
    }
}

/// A model of a repository: one quantisation, with all its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant<F = RepoFile> {
    /// The quantisation, such as `Q4_K_M`; if the name of the file shows none or several have the same, the path of the
    /// first part without its ending.
    pub name: String,
    /// The model file, or all its parts in order.
    pub parts: Vec<F>,
    /// The projector for images and sound, if the repository has one.
    pub projector: Option<F>,
}

impl<F: HasRepoPath> Variant<F> {
    /// Returns the files: the parts, then the projector.
    pub fn files(&self) -> impl Iterator<Item = &F> {
        self.parts.iter().chain(&self.projector)
    }

    /// Returns the path of the file that is loaded: the first part.
    pub(crate) fn path(&self) -> &str {
        self.parts
            .first()
            .map_or("", |part| part.repo_path().as_str())
    }

    /// Returns true if the file is a part of the model.
    pub(crate) fn has_file(&self, path: &str) -> bool {
        let mut parts = self.parts.iter();
        parts.any(|part| part.repo_path().as_str() == path)
    }
}

impl Variant {
    /// Returns the size of all files in bytes; a hub may claim any sizes.
    pub fn size(&self) -> u64 {
        self.files()
            .fold(0, |sum, file| sum.saturating_add(file.size))
    }
}

/// Returns the models among the files, in the order of the files. A split model that lacks a part is left out.
pub fn variants<F: HasRepoPath + Clone>(files: &[F]) -> Vec<Variant<F>> {
    let index = FileIndex::new(files);
    let firsts = files.iter().filter(|file| {
        let path = file.repo_path();
        is_model(path) && split_name(path.as_str()).is_none_or(|split| split.index == 1)
    });
    let mut found: Vec<_> = firsts
        .filter_map(|first| {
            let path = first.repo_path();
            Some(Variant {
                name: quantisation(path).unwrap_or_else(|| long_name(path)),
                parts: index.parts_of(first)?,
                projector: index.projector_of(path).cloned(),
            })
        })
        .collect();
    let mut uses: HashMap<String, usize> = HashMap::new();
    for variant in &found {
        *uses.entry(variant.name.clone()).or_default() += 1;
    }
    for variant in &mut found {
        if uses.get(&variant.name).is_some_and(|count| *count > 1)
            && let Some(first) = variant.parts.first()
        {
            variant.name = long_name(first.repo_path());
        }
    }
    found
}

/// Returns the path without the number of the part and without ending.
fn long_name(path: &RepoPath) -> String {
    let path = path.as_str();
    let prefix = split_name(path).map(|split| split.prefix);
    prefix
        .unwrap_or(path.strip_suffix(ENDING).unwrap_or(path))
        .to_owned()
}

/// The files of a repository by path, because a hub may list very many.
struct FileIndex<'a, F> {
    files: HashMap<&'a str, &'a F>,
    /// Projectors by directory, each with the number of bits of its quantisation, in the order of the files.
    projectors: HashMap<&'a str, Vec<(u32, &'a F)>>,
}

impl<'a, F: HasRepoPath + Clone> FileIndex<'a, F> {
    fn new(files: &'a [F]) -> Self {
        let mut projectors: HashMap<_, Vec<_>> = HashMap::new();
        for file in files {
            let path = file.repo_path();
            if is_projector(path) {
                let same_directory = projectors.entry(path.directory()).or_default();
                same_directory.push((quantisation_bits(path), file));
            }
        }
        Self {
            files: files
                .iter()
                .map(|file| (file.repo_path().as_str(), file))
                .collect(),
            projectors,
        }
    }

    /// Returns all parts in order, or `None` if one is missing.
    fn parts_of(&self, first: &F) -> Option<Vec<F>> {
        let Some(split) = split_name(first.repo_path().as_str()) else {
            return Some(vec![first.clone()]);
        };
        let part = |index| self.files.get(&*split.part(index)).copied().cloned();
        (1..=split.count).map(part).collect()
    }

    /// Returns the projector for a model: in the model's directory or one above, the deepest first, then the one whose
    /// quantisation has the closest number of bits.
    fn projector_of(&self, model: &RepoPath) -> Option<&'a F> {
        let bits = quantisation_bits(model);
        let mut directories = model.directory_and_parents();
        let nearest = directories.find_map(|directory| self.projectors.get(directory))?;
        // Of equal ones, `min_by_key` takes the first, as llama.cpp does.
        let closest = nearest
            .iter()
            .min_by_key(|(projector, _)| projector.abs_diff(bits));
        closest.map(|(_, file)| *file)
    }
}

#[cfg(test)]
mod tests;
