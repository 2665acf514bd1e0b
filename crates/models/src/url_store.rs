//! Files from URLs: at `OWN/HOST/PATH`, each with a record beside it that names its origin.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{FileDigest, ModelUrl, StoreDirs, atomic_file};

/// Ending of a record's name, after the name of its file.
const RECORD_SUFFIX: &str = ".json";
/// Longest record to read.
const MAX_RECORD_BYTES: u64 = 64 << 10;

/// Origin and content of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UrlRecord {
    /// The URL without its query, which may contain credentials.
    pub url: String,
    /// The size in bytes.
    pub size: u64,
    /// SHA-256 of the content as hexadecimal digits.
    pub sha256: String,
    /// SHA-256 of the URL's query as hexadecimal digits, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query_sha256: Option<String>,
}

impl UrlRecord {
    /// Creates the record of a file from a URL.
    pub fn new(url: &ModelUrl, size: u64, sha256: String) -> Self {
        Self {
            url: url.to_string(),
            size,
            sha256,
            query_sha256: query_sha256(url),
        }
    }

    /// Returns true if the file is from this URL, of which scheme and query are not in the file's path.
    pub fn is_from(&self, url: &ModelUrl) -> bool {
        self.url == url.to_string() && self.query_sha256 == query_sha256(url)
    }
}

fn query_sha256(url: &ModelUrl) -> Option<String> {
    let digest = Sha256::digest(url.query()?);
    Some(FileDigest::Sha256(digest.into()).to_string())
}

/// Returns true if the file of a URL may be used for it.
///
/// A URL without query stands for the file whatever its query was, because lists name files so. A file without record
/// was put there by hand.
pub(crate) fn is_usable(file: &Path, url: &ModelUrl) -> bool {
    let Some(record) = read_record(file) else {
        return true;
    };
    match url.query() {
        Some(_) => record.is_from(url),
        None => record.url == url.to_string(),
    }
}

/// Returns the file of a URL; a download writes it, under this name only once it is complete.
pub fn file(dirs: &StoreDirs, url: &ModelUrl) -> PathBuf {
    url.store_path().below(&dirs.own)
}

/// Writes the record of a file.
///
/// # Errors
///
/// The record cannot be written.
pub fn write_record(file: &Path, record: &UrlRecord) -> io::Result<()> {
    let text = serde_json::to_string_pretty(record).map_err(io::Error::other)?;
    let directory = file.parent().unwrap_or(Path::new("/"));
    atomic_file::write(directory, &record_file(file), text.as_bytes())
}

/// Reads the record of a file; `None` if absent or unreadable.
pub fn read_record(file: &Path) -> Option<UrlRecord> {
    let record = record_file(file);
    let size = fs::metadata(&record).ok()?.len();
    if size > MAX_RECORD_BYTES {
        return None;
    }
    serde_json::from_slice(&fs::read(record).ok()?).ok()
}

pub(crate) fn record_file(file: &Path) -> PathBuf {
    with_suffix(file, RECORD_SUFFIX)
}

pub(crate) fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
