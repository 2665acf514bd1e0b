//! A file of a repository, as the hub lists it.

use std::fmt;

use crate::RepoPath;

/// A file of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoFile {
    /// The path in the repository.
    pub path: RepoPath,
    /// The size in bytes.
    pub size: u64,
    /// The digest of the content.
    pub digest: FileDigest,
}

/// The digest of a file's content, which also names the file's blob in the hub's cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileDigest {
    /// SHA-256 of the content, for files in Git LFS or Xet.
    Sha256([u8; 32]),
    /// Git's own digest: SHA-1 of `blob SIZE\0` and the content.
    GitBlob([u8; 20]),
}

impl FileDigest {
    /// Parses 64 hexadecimal digits as SHA-256, and 40 as a Git blob's digest.
    pub fn from_hex(text: &str) -> Option<Self> {
        match text.len() {
            64 => decode_hex(text).map(Self::Sha256),
            40 => decode_hex(text).map(Self::GitBlob),
            _ => None,
        }
    }

    /// Returns SHA-256, if known.
    pub const fn sha256(&self) -> Option<[u8; 32]> {
        match self {
            Self::Sha256(digest) => Some(*digest),
            Self::GitBlob(_) => None,
        }
    }
}

/// Lower-case hexadecimal digits.
impl fmt::Display for FileDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes: &[u8] = match self {
            Self::Sha256(digest) => digest,
            Self::GitBlob(digest) => digest,
        };
        bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn decode_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let digits = text.as_bytes();
    if digits.len() != 2 * N || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_known_by_their_length() {
        let sha256 = "0123456789abcdef".repeat(4);
        let parsed = FileDigest::from_hex(&sha256).unwrap();
        assert!(parsed.sha256().is_some());
        assert_eq!(parsed.to_string(), sha256);
        let blob = FileDigest::from_hex(&"AB".repeat(20)).unwrap();
        assert_eq!(blob.sha256(), None);
        assert_eq!(blob.to_string(), "ab".repeat(20));
        for wrong in ["", "ab", &"g".repeat(40), &"+1".repeat(20), &"é".repeat(20)] {
            assert_eq!(FileDigest::from_hex(wrong), None, "{wrong}");
        }
    }
}
