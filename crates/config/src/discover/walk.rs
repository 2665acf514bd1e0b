//! Looking for files below directories, within bounds.

use std::collections::{HashSet, VecDeque};
use std::fs::{self, DirEntry};
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use super::super::engine::Fault;
use super::super::home::unexpanded;
use super::{File, Skipped};

/// How many directories below a named one are entered in a row.
const DEPTH: usize = 8;
/// Model files at most, below all directories together.
const FILES: usize = 10_000;
/// Files and directories of any kind that are looked at, below all directories together.
const ENTRIES: usize = 200_000;

/// A walk below one directory after another.
#[derive(Debug, Default)]
pub(in super::super) struct Walk {
    pub(super) files: Vec<File>,
    pub(super) skipped: Vec<Skipped>,
    /// The directories entered, without links in their paths.
    entered: HashSet<PathBuf>,
    looked_at: usize,
}

/// What a directory's entry leads to.
enum Target {
    Directory,
    Model,
    Other,
}

impl Walk {
    /// Collects the `*.gguf` files below a directory, those nearer to it first.
    ///
    /// As a shell does, it leaves out what begins with a dot. A directory is entered once, however
    /// many links lead to it.
    pub(in super::super) fn below(&mut self, root: &Path) -> Result<(), Fault> {
        let mut waiting = VecDeque::from([(root.to_owned(), 0)]);
        while let Some((directory, depth)) = waiting.pop_front() {
            let real = fs::canonicalize(&directory).unwrap_or_else(|_| directory.clone());
            if !self.entered.insert(real) {
                continue;
            }
            for entry in self.entries(&directory) {
                self.looked_at += 1;
                let path = entry.path();
                match self.target(&entry) {
                    Target::Directory if depth < DEPTH => waiting.push_back((path, depth + 1)),
                    Target::Model => self.add(root, path),
                    Target::Directory | Target::Other => {}
                }
                self.check_bounds(root)?;
            }
        }
        Ok(())
    }

    /// Returns a directory's entries by name, so that the order on the disk does not matter.
    fn entries(&mut self, directory: &Path) -> Vec<DirEntry> {
        let entries = fs::read_dir(directory).map_err(|error| {
            let reason = format!("cannot be read: {error}");
            self.skipped.push(Skipped::new(directory, reason));
        });
        let rest = ENTRIES.saturating_sub(self.looked_at) + 1;
        let entries = entries.into_iter().flatten().take(rest);
        let mut entries: Vec<_> = entries.filter_map(Result::ok).collect();
        entries.sort_by_key(DirEntry::file_name);
        entries
    }

    fn target(&mut self, entry: &DirEntry) -> Target {
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(b".") {
            return Target::Other;
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
                self.skipped.push(Skipped::new(entry.path(), reason));
                Target::Other
            }
            Ok(kind) if kind.is_dir() => Target::Directory,
            Ok(kind) if kind.is_file() && named => Target::Model,
            Err(error) if named => {
                let reason = format!("cannot be read: {error}");
                self.skipped.push(Skipped::new(entry.path(), reason));
                Target::Other
            }
            _ => Target::Other,
        }
    }

    fn add(&mut self, root: &Path, path: PathBuf) {
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        if let Some(stem) = stem.map(str::to_owned) {
            let root = root.to_owned();
            self.files.push(File { root, path, stem });
        } else {
            let reason = "has a name that is not UTF-8";
            self.skipped.push(Skipped::new(path, reason));
        }
    }

    fn check_bounds(&self, root: &Path) -> Result<(), Fault> {
        let many = if self.files.len() > FILES {
            format!("more than {FILES} model files")
        } else if self.looked_at > ENTRIES {
            format!("more than {ENTRIES} files")
        } else {
            return Ok(());
        };
        let message = format!("there are {many} below {}", root.display());
        Err(Fault::new(
            message,
            "name directories that hold models only",
        ))
    }
}

/// Says why a directory that was named cannot be read.
pub(in super::super) fn unread(root: &Path, error: &Error) -> Fault {
    let shown = root.display();
    let message = match error.kind() {
        ErrorKind::NotFound => format!("there is no directory {shown}"),
        ErrorKind::NotADirectory => format!("{shown} is not a directory"),
        _ => format!("{shown} cannot be read: {error}"),
    };
    Fault {
        help: unexpanded(root).filter(|_| error.kind() == ErrorKind::NotFound),
        ..Fault::bare(message)
    }
}
