//! Records the digest of each archive at its first installation, and compares it at every later one.
//!
//! The records outlive the engines: an archive that is replaced under the same name is refused even after its engine
//! was removed.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

const RECORDS_FILE: &str = "digests.json";

/// An archive's digest differs from the one at its first installation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{asset} has changed since it was first installed: SHA-256 {found} now, {recorded} then; a release that changes \
     after its publication may have been tampered with"
)]
pub struct DigestChanged {
    /// The archive's name.
    pub asset: String,
    /// The recorded digest.
    pub recorded: String,
    /// The digest now.
    pub found: String,
}

/// A digest could not be compared, or differs.
#[derive(Debug, thiserror::Error)]
pub enum DigestRecordError {
    /// The digest differs.
    #[error(transparent)]
    Changed(#[from] DigestChanged),
    /// The file of records is unreadable or damaged.
    #[error("cannot read the recorded digests in {path}: {source}")]
    Unreadable {
        /// The file's path.
        path: String,
        /// The reason.
        source: io::Error,
    },
}

/// Compares an archive's digest, in hexadecimal digits, with the record in a directory of engines, if there is one.
///
/// # Errors
///
/// The digest differs, or the records cannot be read.
pub fn check_digest(store: &Path, asset: &str, sha256: &str) -> Result<(), DigestRecordError> {
    let records = read(store).map_err(|source| DigestRecordError::Unreadable {
        path: store.join(RECORDS_FILE).display().to_string(),
        source,
    })?;
    match records.get(asset) {
        Some(recorded) if !recorded.eq_ignore_ascii_case(sha256) => Err(DigestChanged {
            asset: asset.to_owned(),
            recorded: recorded.clone(),
            found: sha256.to_owned(),
        }
        .into()),
        _ => Ok(()),
    }
}

/// Adds digests to the records. The caller holds the directory's lock.
pub(crate) fn record(
    store: &Path,
    digests: impl Iterator<Item = (String, String)>,
) -> io::Result<()> {
    let mut records = read(store)?;
    for (asset, sha256) in digests {
        records.entry(asset).or_insert(sha256);
    }
    let path = store.join(RECORDS_FILE);
    let new = store.join(format!("{RECORDS_FILE}.new"));
    fs::write(&new, serde_json::to_vec_pretty(&records)?)?;
    fs::rename(new, path)
}

fn read(store: &Path) -> io::Result<BTreeMap<String, String>> {
    match fs::read(store.join(RECORDS_FILE)) {
        Ok(text) => Ok(serde_json::from_slice(&text)?),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_digest_of_an_archive_stays() {
        let store = tempfile::tempdir().unwrap();
        let store = store.path();
        let add = |asset: &str, sha256: &str| {
            let digests = [(asset.to_owned(), sha256.to_owned())];
            record(store, digests.into_iter()).unwrap();
        };
        check_digest(store, "a", "11").unwrap();
        add("a", "11");
        add("b", "22");
        check_digest(store, "a", "11").unwrap();
        check_digest(store, "c", "33").unwrap();
        let error = check_digest(store, "a", "44").unwrap_err().to_string();
        assert!(error.contains("44 now, 11 then"), "{error}");
        add("a", "44");
        check_digest(store, "a", "11").unwrap();
        fs::write(store.join(RECORDS_FILE), "damaged").unwrap();
        let error = check_digest(store, "a", "11").unwrap_err();
        assert!(matches!(error, DigestRecordError::Unreadable { .. }));
    }
}
