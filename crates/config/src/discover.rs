//! Model files below directories: which of them are models, and what they are called.
//!
//! Files are not opened here: a broken one is refused when it is asked for, and harms no other.

mod names;
mod walk;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use paddock_gguf::strip_part_suffix;

pub(super) use walk::{Walk, unread};

/// A file below the directories of `discover.dirs` that is not served, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The file, or a directory that cannot be read.
    pub path: PathBuf,
    /// Why it is not served, to be read after its path.
    pub reason: String,
}

impl Skipped {
    pub(super) fn new(path: impl Into<PathBuf>, reason: impl Into<String>) -> Self {
        let (path, reason) = (path.into(), reason.into());
        Self { path, reason }
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What a file is called may come from afar, and this is shown on terminals.
        let text = format!("{} {}", self.path.display(), self.reason);
        f.write_str(&crate::printable(&text))
    }
}

/// A model found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// The projector beside it.
    pub(super) mmproj: Option<PathBuf>,
}

/// A file found, and the directory below which it was looked for.
#[derive(Debug)]
struct File {
    root: PathBuf,
    path: PathBuf,
    /// The file's name without `.gguf`.
    stem: String,
}

/// What a file is by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Model,
    Projector,
    Draft,
    ImportanceMatrix,
    LaterPart,
}

const IS_A_DRAFT: &str =
    "is a draft model: name it with `draft` under [models.NAME] of the model it is for";
const IS_A_MATRIX: &str = "is an importance matrix, which is for quantizing a model";

/// Parts of the names of draft models, which guess tokens ahead for another model.
const DRAFTS: [&str; 4] = ["mtp-", "eagle3-", "dspark-", "dflash-"];

impl File {
    fn kind(&self) -> Kind {
        let name = strip_part_suffix(&self.stem);
        let part = self.stem.strip_prefix(name).unwrap_or_default();
        // As the engine tells them apart: llama.cpp b11434, common/download.cpp, `gguf_filename_is_model`.
        if self.stem.contains("mmproj") {
            Kind::Projector
        } else if self.stem.contains("imatrix") {
            Kind::ImportanceMatrix
        } else if DRAFTS.iter().any(|draft| self.stem.contains(draft)) {
            Kind::Draft
        } else if part.is_empty() || part.starts_with("-00001-of-") {
            Kind::Model
        } else {
            Kind::LaterPart
        }
    }

    fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }
}

impl Walk {
    /// Makes models of the files found, ordered by name, and says which files are none.
    pub(super) fn models(self) -> (Vec<Found>, Vec<Skipped>) {
        let mut skipped = self.skipped;
        let mut models = Vec::new();
        let mut projectors = Vec::new();
        let mut parts = Vec::new();
        for file in self.files {
            match file.kind() {
                Kind::Model => models.push(file),
                Kind::Projector => projectors.push(file),
                Kind::LaterPart => parts.push(file),
                Kind::Draft => skipped.push(Skipped::new(file.path, IS_A_DRAFT)),
                Kind::ImportanceMatrix => skipped.push(Skipped::new(file.path, IS_A_MATRIX)),
            }
        }
        skip_orphans(&parts, &models, &mut skipped);
        skip_copies(&mut models);
        let mut mmproj = pair(&projectors, &models, &mut skipped);
        let mut found: Vec<_> = names::give(models, &mut skipped)
            .into_iter()
            .map(|(name, path)| Found {
                name,
                mmproj: mmproj.remove(&path),
                path,
            })
            .collect();
        found.sort_by(|one, two| one.name.cmp(&two.name));
        (found, skipped)
    }
}

/// Says of which parts there is no first one.
fn skip_orphans(parts: &[File], models: &[File], skipped: &mut Vec<Skipped>) {
    let place = |file: &File| file.path.with_file_name(strip_part_suffix(&file.stem));
    let mut known: HashSet<PathBuf> = models.iter().map(place).collect();
    for part in parts {
        if known.insert(place(part)) {
            skipped.push(Skipped::new(&part.path, "is a part without the first one"));
        }
    }
}

/// Keeps the first of links of one name to one file, as there are in a download cache.
fn skip_copies(models: &mut Vec<File>) {
    let mut seen = HashSet::new();
    models.retain(|file| {
        let target = fs::canonicalize(&file.path).unwrap_or_else(|_| file.path.clone());
        seen.insert((target, file.stem.clone()))
    });
}

/// Gives each projector that is the only one in its directory to the only model there.
fn pair(
    projectors: &[File],
    models: &[File],
    skipped: &mut Vec<Skipped>,
) -> BTreeMap<PathBuf, PathBuf> {
    let mut directories: BTreeMap<&Path, Vec<&File>> = BTreeMap::new();
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
                let reason = "is a projector, and it is not clear of which model: \
                    name it with `mmproj` under [models.NAME]";
                skipped.push(Skipped::new(&projector.path, reason));
            }
        }
    }
    pairs
}
