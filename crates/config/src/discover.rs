//! Finds models below directories: classifies files by name, names the models and pairs them with
//! multimodal projectors.
//!
//! Files are not opened here: a broken file is noticed when its model is loaded, and affects no other model.

mod names;
mod walk;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use paddock_gguf::strip_part_suffix;

pub(super) use walk::{Walk, unreadable_dir};

/// A file below the directories of `discover.dirs` that is not served, and the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedFile {
    /// The file, or a directory that cannot be read.
    pub path: PathBuf,
    /// Reason, worded to follow the path.
    pub reason: String,
}

impl SkippedFile {
    pub(super) fn new(path: impl Into<PathBuf>, reason: impl Into<String>) -> Self {
        let (path, reason) = (path.into(), reason.into());
        Self { path, reason }
    }
}

impl fmt::Display for SkippedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // File names may come from untrusted sources, and this text is shown on terminals.
        let text = format!("{} {}", self.path.display(), self.reason);
        f.write_str(&crate::printable(&text))
    }
}

/// A discovered model.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DiscoveredModel {
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// The multimodal projector (for images and sound) in the same directory.
    pub(super) mmproj: Option<PathBuf>,
}

/// A `*.gguf` file and the directory in which the search began.
#[derive(Debug)]
struct GgufFile {
    root: PathBuf,
    path: PathBuf,
    /// The file's name without `.gguf`.
    stem: String,
}

/// Kind of a file, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileKind {
    Model,
    Projector,
    Draft,
    ImportanceMatrix,
    /// A part of a split model, except the first.
    LaterPart,
}

const DRAFT_REASON: &str =
    "is a draft model: set it as `draft` under [models.NAME] of its target model";
const IMPORTANCE_MATRIX_REASON: &str =
    "is an importance matrix, which is only used to quantize a model";

/// Parts of the names of draft models, which predict tokens for another model.
const DRAFT_MARKS: [&str; 4] = ["mtp-", "eagle3-", "dspark-", "dflash-"];

impl GgufFile {
    fn kind(&self) -> FileKind {
        let name = strip_part_suffix(&self.stem);
        let part = self.stem.strip_prefix(name).unwrap_or_default();
        // As in the engine: llama.cpp b11434, common/download.cpp, `gguf_filename_is_model`.
        if self.stem.contains("mmproj") {
            FileKind::Projector
        } else if self.stem.contains("imatrix") {
            FileKind::ImportanceMatrix
        } else if DRAFT_MARKS.iter().any(|draft| self.stem.contains(draft)) {
            FileKind::Draft
        } else if part.is_empty() || part.starts_with("-00001-of-") {
            FileKind::Model
        } else {
            FileKind::LaterPart
        }
    }

    fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }
}

impl Walk {
    /// Returns the models, sorted by name, and the files that are not served.
    pub(super) fn models(self) -> (Vec<DiscoveredModel>, Vec<SkippedFile>) {
        let mut skipped = self.skipped;
        let mut models = Vec::new();
        let mut projectors = Vec::new();
        let mut parts = Vec::new();
        for file in self.files {
            match file.kind() {
                FileKind::Model => models.push(file),
                FileKind::Projector => projectors.push(file),
                FileKind::LaterPart => parts.push(file),
                FileKind::Draft => skipped.push(SkippedFile::new(file.path, DRAFT_REASON)),
                FileKind::ImportanceMatrix => {
                    skipped.push(SkippedFile::new(file.path, IMPORTANCE_MATRIX_REASON));
                }
            }
        }
        skip_orphans(&parts, &models, &mut skipped);
        skip_copies(&mut models);
        let mut mmproj = pair_projectors(&projectors, &models, &mut skipped);
        let mut found: Vec<_> = names::assign(models, &mut skipped)
            .into_iter()
            .map(|(name, path)| DiscoveredModel {
                name,
                mmproj: mmproj.remove(&path),
                path,
            })
            .collect();
        found.sort_by(|one, two| one.name.cmp(&two.name));
        (found, skipped)
    }
}

/// Skips parts whose first part is missing.
fn skip_orphans(parts: &[GgufFile], models: &[GgufFile], skipped: &mut Vec<SkippedFile>) {
    let place = |file: &GgufFile| file.path.with_file_name(strip_part_suffix(&file.stem));
    let mut known: HashSet<PathBuf> = models.iter().map(place).collect();
    for part in parts {
        if known.insert(place(part)) {
            skipped.push(SkippedFile::new(
                &part.path,
                "is a part of a split model whose first part is missing",
            ));
        }
    }
}

/// Keeps the first of several links with one name to one file, which download caches have.
fn skip_copies(models: &mut Vec<GgufFile>) {
    let mut seen = HashSet::new();
    models.retain(|file| {
        let target = fs::canonicalize(&file.path).unwrap_or_else(|_| file.path.clone());
        seen.insert((target, file.stem.clone()))
    });
}

/// Assigns a projector to a model if each is the only one in its directory; skips other projectors.
fn pair_projectors(
    projectors: &[GgufFile],
    models: &[GgufFile],
    skipped: &mut Vec<SkippedFile>,
) -> BTreeMap<PathBuf, PathBuf> {
    let mut directories: BTreeMap<&Path, Vec<&GgufFile>> = BTreeMap::new();
    for model in models {
        directories
            .entry(model.directory())
            .or_default()
            .push(model);
    }
    let mut counts: HashMap<&Path, usize> = HashMap::new();
    for projector in projectors {
        *counts.entry(projector.directory()).or_default() += 1;
    }
    let mut pairs = BTreeMap::new();
    for projector in projectors {
        let directory = projector.directory();
        let alone = counts.get(directory) == Some(&1);
        match directories.get(directory).map(Vec::as_slice) {
            Some([model]) if alone => {
                pairs.insert(model.path.clone(), projector.path.clone());
            }
            _ => {
                let reason =
                    "is a projector of an unknown model: set it as `mmproj` under [models.NAME]";
                skipped.push(SkippedFile::new(&projector.path, reason));
            }
        }
    }
    pairs
}
