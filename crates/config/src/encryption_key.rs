//! Reads the encryption key of contexts from `context_cache.encryption_key_file`.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Length of the key in bytes.
const KEY_BYTES: usize = 32;

/// Number of hexadecimal digits of a key.
const KEY_DIGITS: usize = 2 * KEY_BYTES;

/// Maximum number of bytes to read from a key file: the digits, the end of the line, and one more byte to detect a
/// longer file.
const MAX_FILE_BYTES: u64 = KEY_DIGITS as u64 + 3;

/// Permission bits of users other than the owner.
const OTHER_USERS_MODE: u32 = 0o077;

/// The key that encrypts contexts.
#[derive(Clone, PartialEq, Eq)]
pub struct EncryptionKey([u8; KEY_BYTES]);

/// Reasons why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EncryptionKeyError {
    /// The file cannot be opened or read.
    #[error("cannot read the key file: {0}")]
    Io(#[from] io::Error),
    /// The path does not name a regular file.
    #[error("the key file is not a regular file")]
    NoFile,
    /// Another user owns the file, and so could change or read it.
    #[error("the key file belongs to user {owner}, but paddock runs as user {me}")]
    Owner {
        /// User ID of the owner.
        owner: u32,
        /// User ID of paddock.
        me: u32,
    },
    /// Other users have access to the file.
    #[error("other users have access to the key file (mode {0:o})")]
    Mode(u32),
    /// The file does not contain a key.
    #[error("the key file must contain {KEY_BYTES} bytes, or {KEY_DIGITS} hexadecimal digits")]
    Content,
}

impl EncryptionKey {
    /// Reads a key file, which must belong to this user and be inaccessible to other users.
    ///
    /// # Errors
    /// The file cannot be read, belongs to another user, is accessible to other users, or does not contain a key.
    pub fn read(path: &Path) -> Result<Self, EncryptionKeyError> {
        // Opening a pipe without a writer would block.
        let nonblock = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(nonblock)
            .open(path)?;
        let found = file.metadata()?;
        if !found.is_file() {
            return Err(EncryptionKeyError::NoFile);
        }
        let (owner, me) = (found.uid(), rustix::process::geteuid().as_raw());
        if owner != me {
            return Err(EncryptionKeyError::Owner { owner, me });
        }
        let mode = found.mode() & 0o7777;
        if mode & OTHER_USERS_MODE != 0 {
            return Err(EncryptionKeyError::Mode(mode));
        }
        let mut content = Vec::with_capacity(KEY_DIGITS);
        file.take(MAX_FILE_BYTES).read_to_end(&mut content)?;
        Self::parse(&content).ok_or(EncryptionKeyError::Content)
    }

    /// Parses the content of a key file: the bytes of the key, or their hexadecimal digits with an optional line end.
    pub fn parse(content: &[u8]) -> Option<Self> {
        if let Ok(bytes) = content.try_into() {
            return Some(Self(bytes));
        }
        let digits = content.trim_ascii_end();
        if digits.len() != KEY_DIGITS {
            return None;
        }
        let mut bytes = [0; KEY_BYTES];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            let digit = |digit: u8| char::from(digit).to_digit(16);
            let value = pair
                .iter()
                .try_fold(0, |value, next| Some(16 * value + digit(*next)?))?;
            *byte = u8::try_from(value).ok()?;
        }
        Some(Self(bytes))
    }

    /// Returns the bytes of the key.
    pub fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

impl EncryptionKeyError {
    /// Returns advice for fixing the problem.
    pub(super) fn advice(&self, path: &Path) -> String {
        let path = path.display();
        match self {
            Self::Io(error) if error.kind() != io::ErrorKind::NotFound => {
                format!("make {path} readable only for the user that paddock runs as")
            }
            Self::Io(_) | Self::NoFile | Self::Content => {
                format!(
                    "create it with a random key: (umask 077; head -c {KEY_BYTES} /dev/urandom > {path})"
                )
            }
            Self::Owner { me, .. } => format!("change the owner: chown {me} {path}"),
            Self::Mode(_) => format!("remove their access: chmod 600 {path}"),
        }
    }
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EncryptionKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_given_as_bytes_or_hexadecimal_digits() {
        let digits = "00ff".repeat(16);
        let expected = [0, 0xff].repeat(16);
        for text in [
            digits.clone(),
            digits.to_uppercase(),
            format!("{digits}\n"),
            format!("{digits}\r\n"),
        ] {
            let key = EncryptionKey::parse(text.as_bytes()).unwrap();
            assert_eq!(key.as_bytes().as_slice(), expected, "{text:?}");
        }
        let raw = [b'\n'; KEY_BYTES];
        assert_eq!(EncryptionKey::parse(&raw).unwrap().as_bytes(), &raw);
        assert_eq!(format!("{:?}", EncryptionKey(raw)), "EncryptionKey");
    }

    #[test]
    fn other_content_is_not_a_key() {
        let digits = "0f".repeat(32);
        for wrong in [
            String::new(),
            "x".repeat(31),
            "x".repeat(33),
            "x".repeat(64),
            digits[1..].to_owned(),
            format!("{digits}0"),
            format!(" {digits}"),
            format!("+{}", &digits[1..]),
        ] {
            assert_eq!(EncryptionKey::parse(wrong.as_bytes()), None, "{wrong:?}");
        }
    }
}
