//! The record that lies beside an installed engine.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Name of the record's file in an engine's directory.
pub(crate) const RECEIPT_FILE: &str = "receipt.json";

/// Origin of an installed engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The release's tag; for a local build, the tag of its source if known.
    pub tag: String,
    /// The build's flavour, such as `cuda-12.8`; empty for the plain build.
    pub flavour: String,
    /// The archives that were unpacked; empty for a local build.
    pub archives: Vec<ArchiveRecord>,
    /// Path of the program in the engine's directory.
    pub program: PathBuf,
    /// The first line that the program printed with `--version`.
    pub version: String,
    /// Time of the installation in seconds since 1970.
    pub installed: u64,
    /// The source directory of a local build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<PathBuf>,
}

/// Origin and digest of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveRecord {
    /// The archive's name.
    pub asset: String,
    /// The address from which it was downloaded.
    pub url: String,
    /// The SHA-256 of the archive, in hexadecimal digits.
    pub sha256: String,
}

impl Receipt {
    /// Reads the record of an engine's directory.
    pub(crate) fn read(engine: &Path) -> io::Result<Self> {
        let text = fs::read(engine.join(RECEIPT_FILE))?;
        Ok(serde_json::from_slice(&text)?)
    }

    /// Writes the record into an engine's directory, which nobody uses yet.
    pub(crate) fn write(&self, engine: &Path) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(self)?;
        fs::write(engine.join(RECEIPT_FILE), text)
    }
}
