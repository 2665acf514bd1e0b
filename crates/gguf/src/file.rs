//! Model files on disk.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::header::Header;
use crate::limits;
use crate::split::part_path;

/// Reads the header of a model file and checks that the file is as long as its tensors need.
///
/// # Errors
///
/// Any [`Error`]; [`Error::Truncated`] when only the length is wrong.
pub fn inspect(path: &Path) -> Result<Header, Error> {
    let kind = fs::metadata(path)?;
    if kind.is_dir() {
        return Err(Error::NotAFile("a directory"));
    }
    // Opening a pipe would wait for its writer.
    if !kind.is_file() {
        return Err(Error::NotAFile("a device, pipe or socket"));
    }
    let file = File::open(path)?;
    let has = file.metadata()?.len();
    let header = Header::read(file)?;
    if has < header.file_len {
        let needs = header.file_len;
        return Err(Error::Truncated { needs, has });
    }
    Ok(header)
}

/// Which part of a model cannot be read, and why.
#[derive(Debug, thiserror::Error)]
#[error("{} {error}", path.display())]
pub struct PartError {
    /// The part.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub error: Error,
}

/// Reads the headers of a model and of all its parts, in order; one that is not split is one part.
///
/// Given a part that is not the first, it reads them all, too. A part whose name does not say that it
/// is one is read alone: llama.cpp does not find the others either.
///
/// # Errors
///
/// [`PartError`], for the first part that [`inspect`] refuses.
pub fn inspect_parts(path: &Path) -> Result<Vec<Header>, PartError> {
    let read = |path: PathBuf| inspect(&path).map_err(|error| PartError { path, error });
    let header = read(path.to_owned())?;
    let Some(split) = header.split() else {
        return Ok(vec![header]);
    };
    if u64::from(split.count) > limits::PARTS {
        let (what, value, limit) = ("a number of parts", split.count.into(), limits::PARTS);
        let (path, error) = (path.to_owned(), Error::TooMuch { what, value, limit });
        return Err(PartError { path, error });
    }
    if part_path(path, split.index, split.count).is_none() {
        return Ok(vec![header]);
    }
    (0..split.count)
        .filter_map(|index| part_path(path, index, split.count))
        .map(read)
        .collect()
}
