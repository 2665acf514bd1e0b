//! Searches directories for `*.gguf` files. Limits on depth and number bound the search of a wrong directory, such
//! as a whole disk.

use std::collections::{HashSet, VecDeque};
use std::fs::{self, DirEntry};
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use super::super::engine_search::PathFault;
use super::super::home_dir::unexpanded_help;
use super::{GgufFile, SkippedFile};

/// Maximum depth below a configured directory.
const MAX_DEPTH: usize = 8;
/// Maximum number of model files below all directories.
const MAX_FILES: usize = 10_000;
/// Maximum number of entries of any kind below all directories.
const MAX_ENTRIES: usize = 200_000;

/// A search below one directory after another.
#[derive(Debug, Default)]
pub(in super::super) struct Walk {
    pub(super) files: Vec<GgufFile>,
    pub(super) skipped: Vec<SkippedFile>,
    /// Directories entered, by canonical path.
    entered: HashSet<PathBuf>,
    /// Number of directory entries visited so far, below all directories.
    visited: usize,
}

/// Kind of file that a directory entry leads to, after symbolic links are followed.
enum EntryTarget {
    Directory,
    Model,
    Other,
}

impl Walk {
    /// Collects the `*.gguf` files below a directory, breadth first.
    ///
    /// Skips names that begin with a dot, as a shell does. Enters a directory once, even if several links lead to it.
    pub(in super::super) fn below(&mut self, root: &Path) -> Result<(), PathFault> {
        let mut waiting = VecDeque::from([(root.to_owned(), 0)]);
        while let Some((directory, depth)) = waiting.pop_front() {
            let real = fs::canonicalize(&directory).unwrap_or_else(|_| directory.clone());
            if !self.entered.insert(real) {
                continue;
            }
            for entry in self.entries(&directory) {
                self.visited += 1;
                let path = entry.path();
                match self.target(&entry) {
                    EntryTarget::Directory if depth < MAX_DEPTH => {
                        waiting.push_back((path, depth + 1));
                    }
                    EntryTarget::Model => self.add(root, path),
                    EntryTarget::Directory | EntryTarget::Other => {}
                }
                self.check_bounds(root)?;
            }
        }
        Ok(())
    }

    /// Returns a directory's entries sorted by name, independent of the order on disk.
    fn entries(&mut self, directory: &Path) -> Vec<DirEntry> {
        let entries = fs::read_dir(directory).map_err(|error| {
            let reason = format!("cannot be read: {error}");
            self.skipped.push(SkippedFile::new(directory, reason));
        });
        let rest = MAX_ENTRIES.saturating_sub(self.visited) + 1;
        let entries = entries.into_iter().flatten().take(rest);
        let mut entries: Vec<_> = entries.filter_map(Result::ok).collect();
        entries.sort_by_key(DirEntry::file_name);
        entries
    }

    fn target(&mut self, entry: &DirEntry) -> EntryTarget {
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(b".") {
            return EntryTarget::Other;
        }
        let named = Path::new(&name)
            .extension()
            .is_some_and(|end| end == "gguf");
        let kind = match entry.file_type() {
            Ok(kind) if kind.is_symlink() => fs::metadata(entry.path()).map(|to| to.file_type()),
            kind => kind,
        };
        let odd = name.to_string_lossy().contains(char::is_control);
        match kind {
            Ok(kind) if odd && (kind.is_dir() || named) => {
                let reason = "has a control character in its name";
                self.skipped.push(SkippedFile::new(entry.path(), reason));
                EntryTarget::Other
            }
            Ok(kind) if kind.is_dir() => EntryTarget::Directory,
            Ok(kind) if kind.is_file() && named => EntryTarget::Model,
            Err(error) if named => {
                let reason = format!("cannot be read: {error}");
                self.skipped.push(SkippedFile::new(entry.path(), reason));
                EntryTarget::Other
            }
            _ => EntryTarget::Other,
        }
    }

    fn add(&mut self, root: &Path, path: PathBuf) {
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        if let Some(stem) = stem.map(str::to_owned) {
            let root = root.to_owned();
            self.files.push(GgufFile { root, path, stem });
        } else {
            let reason = "has a name that is not UTF-8";
            self.skipped.push(SkippedFile::new(path, reason));
        }
    }

    fn check_bounds(&self, root: &Path) -> Result<(), PathFault> {
        let many = if self.files.len() > MAX_FILES {
            format!("more than {MAX_FILES} model files")
        } else if self.visited > MAX_ENTRIES {
            format!("more than {MAX_ENTRIES} files")
        } else {
            return Ok(());
        };
        let message = format!("{} contains {many}", root.display());
        Err(PathFault::new(
            message,
            "choose directories that contain only models",
        ))
    }
}

/// Explains why a configured directory cannot be read.
pub(in super::super) fn unreadable_dir(root: &Path, error: &Error) -> PathFault {
    let shown = root.display();
    let message = match error.kind() {
        ErrorKind::NotFound => format!("there is no directory {shown}"),
        ErrorKind::NotADirectory => format!("{shown} is not a directory"),
        _ => format!("{shown} cannot be read: {error}"),
    };
    PathFault {
        help: unexpanded_help(root).filter(|_| error.kind() == ErrorKind::NotFound),
        ..PathFault::bare(message)
    }
}
