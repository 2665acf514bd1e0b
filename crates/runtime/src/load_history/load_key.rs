//! Identifies loads of one kind: the same model files, arguments and engine.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::Metadata;
use std::path::PathBuf;
use std::{fs, io};

use sha2::{Digest, Sha256};

/// The key of a stored measurement of a load's memory and duration.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LoadKey {
    /// All parts of the model, with its projector and draft model if present.
    pub(crate) file: FileIdentity,
    pub(crate) arguments: ArgumentsHash,
    /// The engine's program.
    pub(crate) engine: FileIdentity,
}

/// The identity of files and their state, obtained without reading them.
///
/// A hash of device, inode, size and modification time of each file: a replaced, modified or copied file has
/// another identity. A file system that assigns device numbers at mount time (NFS, btrfs, overlays) may give the
/// same file another identity after a reboot; its load is then measured again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FileIdentity(String);

impl FileIdentity {
    /// Computes the identity of files in this order. Blocks for one `stat` per file.
    pub(crate) fn from_paths(files: &[PathBuf]) -> io::Result<Self> {
        let mut hash = Sha256::new();
        for file in files {
            for number in stat_numbers(&fs::metadata(file)?) {
                hash.update(number.to_le_bytes());
            }
        }
        Ok(Self(short_hex(hash)))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A hash of the arguments that affect a load's memory. Only the hash is stored, since an argument may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ArgumentsHash(String);

impl ArgumentsHash {
    /// Hashes arguments in this order. The caller omits those that change with each start, such as the socket's
    /// path.
    pub(crate) fn from_args<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Self {
        let mut hash = Sha256::new();
        for argument in arguments {
            let bytes = argument.as_ref().as_encoded_bytes();
            // The length prefix distinguishes ["ab"] from ["a", "b"].
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        }
        Self(short_hex(hash))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns half of a hash in hexadecimal: 128 bits do not collide by chance.
fn short_hex(hash: Sha256) -> String {
    let bytes = hash.finalize();
    bytes.iter().take(16).fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(unix)]
fn stat_numbers(metadata: &Metadata) -> [u64; 5] {
    use std::os::unix::fs::MetadataExt;
    [
        metadata.dev(),
        metadata.ino(),
        metadata.size(),
        metadata.mtime().cast_unsigned(),
        metadata.mtime_nsec().cast_unsigned(),
    ]
}

#[cfg(not(unix))]
fn stat_numbers(metadata: &Metadata) -> [u64; 5] {
    let changed = metadata
        .modified()
        .ok()
        .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
        .unwrap_or_default();
    let nanoseconds = u64::from(changed.subsec_nanos());
    [0, 0, metadata.len(), changed.as_secs(), nanoseconds]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_keeps_its_identity_until_it_changes() {
        let directory = tempfile::tempdir().unwrap();
        let [one, two] = ["one", "two"].map(|name| directory.path().join(name));
        fs::write(&one, "1234").unwrap();
        fs::write(&two, "1234").unwrap();
        let of = |files: &[&PathBuf]| {
            let files: Vec<_> = files.iter().copied().cloned().collect();
            FileIdentity::from_paths(&files).unwrap()
        };
        let before = of(&[&one]);
        assert_eq!(of(&[&one]), before);
        assert_ne!(of(&[&two]), before);
        assert_ne!(of(&[&one, &two]), before);
        assert_ne!(of(&[&one, &two]), of(&[&two, &one]));
        assert_eq!(before.as_str().len(), 32);

        fs::write(&one, "12345").unwrap();
        assert_ne!(of(&[&one]), before);
    }

    #[test]
    fn a_change_of_time_alone_is_a_change() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("one");
        fs::write(&path, "1234").unwrap();
        let before = FileIdentity::from_paths(std::slice::from_ref(&path)).unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        let time =
            std::time::UNIX_EPOCH + std::time::Duration::from_nanos(1_500_000_000_000_000_001);
        file.set_modified(time).unwrap();
        assert_ne!(FileIdentity::from_paths(&[path]).unwrap(), before);
    }

    #[test]
    fn a_file_that_is_missing_has_no_identity() {
        let error = FileIdentity::from_paths(&["/nowhere/model.gguf".into()]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn arguments_differ_by_value_order_and_cut() {
        let of = |arguments: &[&str]| ArgumentsHash::from_args(arguments);
        assert_eq!(of(&["-c", "4096"]), of(&["-c", "4096"]));
        assert_ne!(of(&["-c", "4096"]), of(&["-c", "8192"]));
        assert_ne!(of(&["ab"]), of(&["a", "b"]));
        assert_ne!(of(&["a", "b"]), of(&["b", "a"]));
        // The hash is stored: it must be the same in every version and on every machine.
        assert_eq!(of(&[]).as_str(), "e3b0c44298fc1c149afbf4c8996fb924");
    }
}
