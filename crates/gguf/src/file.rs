//! Model files on disk.

use std::fs::{self, File};
use std::path::Path;

use crate::error::Error;
use crate::header::Header;

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
