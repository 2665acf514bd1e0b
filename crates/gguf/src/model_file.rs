//! Reads the headers of model files on disk.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::header::Header;
use crate::limits;
use crate::split_part::part_path;

/// Reads the header of a model file and checks that the file contains all tensor data.
///
/// # Errors
///
/// Any [`Error`]; [`Error::Truncated`] if only the length is wrong.
pub fn inspect(path: &Path) -> Result<Header, Error> {
    let kind = fs::metadata(path)?;
    if kind.is_dir() {
        return Err(Error::NotAFile("a directory"));
    }
    // Opening a pipe would block until a writer opens it.
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

/// The part of a model that cannot be read, with the cause.
#[derive(Debug, thiserror::Error)]
#[error("{} {error}", path.display())]
pub struct PartError {
    /// The file of the part.
    pub path: PathBuf,
    /// The cause.
    #[source]
    pub error: Error,
}

/// Reads the headers of all parts of a model, in order; an unsplit model has one part.
///
/// `path` may name any part. A split file whose name has no part number is read alone, because
/// llama.cpp does not find its other parts either.
///
/// # Errors
///
/// [`PartError`] for the first part that [`inspect`] refuses.
pub fn inspect_parts(path: &Path) -> Result<Vec<Header>, PartError> {
    let read = |path: PathBuf| inspect(&path).map_err(|error| PartError { path, error });
    let header = read(path.to_owned())?;
    let Some(split) = header.split() else {
        return Ok(vec![header]);
    };
    if u64::from(split.count) > limits::MAX_PARTS {
        let (what, value, limit) = ("a number of parts", split.count.into(), limits::MAX_PARTS);
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
