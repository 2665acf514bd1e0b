//! Opens and locks the state directory, which holds files that outlive a run, such as the signing key. One paddock
//! uses it at a time.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::dir_lock::{DirLock, DirLockError};
use paddock_telemetry::private_dir;

/// Lock file, which contains the holder's pid.
const LOCK_FILE: &str = "lock";

/// File of the [`SigningKey`], which signs the records in runtime directories.
const KEY_FILE: &str = "key";

/// Length of the key: one block of SHA-256.
const KEY_BYTES: usize = 64;

/// The state directory, locked until drop; the kernel releases the lock when the process ends.
#[derive(Debug)]
pub struct StateDir {
    _lock: DirLock,
}

/// Reasons why the state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateDirError {
    /// Another paddock uses the directory.
    #[error(
        "{}{} is using the state directory {}: stop it, or set a different `state_dir` under [server]",
        "another paddock", .pid.map(|pid| format!(" (process {pid})")).unwrap_or_default(), .path.display()
    )]
    InUse {
        /// The directory.
        path: PathBuf,
        /// Pid of the other paddock, if readable.
        pid: Option<u32>,
    },
    /// The system denies access.
    #[error("cannot use the state directory {}: {source}", .path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// The error of the system call.
        source: io::Error,
    },
}

impl StateDir {
    /// Locks the directory, creating it without access for others if necessary. Removes the access of others to an
    /// existing one.
    ///
    /// # Errors
    /// Another paddock uses it, the system denies access, or another user may have put something there.
    pub fn lock(path: &Path) -> Result<Self, StateDirError> {
        let denied = |source| StateDirError::Io {
            path: path.to_owned(),
            source,
        };
        private_dir::create(path).map_err(denied)?;
        let lock = path.join(LOCK_FILE);
        match DirLock::acquire(&lock) {
            Ok(lock) => Ok(Self { _lock: lock }),
            Err(DirLockError::InUse(pid)) => Err(StateDirError::InUse {
                path: path.to_owned(),
                pid,
            }),
            Err(DirLockError::Io(source)) => Err(denied(source)),
        }
    }
}

/// A secret of this state directory, with which paddock recognizes what it wrote itself.
#[derive(Clone)]
pub struct SigningKey([u8; KEY_BYTES]);

impl SigningKey {
    /// Reads the key of a state directory, and creates it the first time.
    ///
    /// # Errors
    /// The system denies access, or the file is damaged.
    pub fn load_or_create(directory: &Path) -> io::Result<Self> {
        private_dir::create(directory)?;
        let path = directory.join(KEY_FILE);
        private_dir::check_file(&path)?;
        match fs::read(&path) {
            Ok(bytes) => Self::try_from(bytes.as_slice()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::create(directory, &path),
            Err(error) => Err(error),
        }
    }

    fn create(directory: &Path, path: &Path) -> io::Result<Self> {
        let mut bytes = [0; KEY_BYTES];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        // Created atomically, because others may read it at the same time. The mode is 0600.
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.write_all(&bytes)?;
        match file.persist_noclobber(path) {
            Ok(_) => Ok(Self(bytes)),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                Self::try_from(fs::read(path)?.as_slice())
            }
            Err(error) => Err(error.error),
        }
    }

    /// Signs a text.
    pub(crate) fn sign(&self, text: &[u8]) -> [u8; 32] {
        self.mac(text).finalize().into_bytes().into()
    }

    /// Returns true if this key has signed the text.
    pub(crate) fn has_signed(&self, text: &[u8], signature: &[u8]) -> bool {
        self.mac(text).verify_slice(signature).is_ok()
    }

    fn mac(&self, text: &[u8]) -> Hmac<Sha256> {
        Hmac::<Sha256>::new(&self.0.into()).chain_update(text)
    }
}

impl TryFrom<&[u8]> for SigningKey {
    type Error = io::Error;

    fn try_from(bytes: &[u8]) -> io::Result<Self> {
        let wrong = |_| io::Error::new(io::ErrorKind::InvalidData, "the key file is damaged");
        bytes.try_into().map(Self).map_err(wrong)
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn one_has_it_at_a_time() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        let first = StateDir::lock(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let second = StateDir::lock(&path).unwrap_err();
        let StateDirError::InUse { pid, .. } = &second else {
            panic!("{second}");
        };
        assert_eq!(*pid, Some(std::process::id()));
        let words = second.to_string();
        let id = std::process::id();
        let told = format!("another paddock (process {id}) is using the state directory");
        assert!(words.starts_with(&told), "{words}");
        drop(first);
        StateDir::lock(&path).unwrap();
    }

    #[test]
    fn what_others_put_there_is_not_opened() {
        let parent = tempfile::tempdir().unwrap();
        let (path, victim) = (parent.path().join("state"), parent.path().join("victim"));
        fs::write(&victim, "precious").unwrap();
        fs::create_dir(&path).unwrap();
        for name in [LOCK_FILE, KEY_FILE] {
            std::os::unix::fs::symlink(&victim, path.join(name)).unwrap();
        }
        let words = StateDir::lock(&path).unwrap_err().to_string();
        assert!(words.contains("lock is a symbolic link"), "{words}");
        let words = SigningKey::load_or_create(&path).unwrap_err().to_string();
        assert!(words.contains("key is a symbolic link"), "{words}");
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
    }

    #[test]
    fn what_is_no_directory_is_an_error_of_the_system() {
        let parent = tempfile::NamedTempFile::new().unwrap();
        let error = StateDir::lock(parent.path()).unwrap_err();
        assert!(matches!(error, StateDirError::Io { .. }), "{error}");
    }

    #[test]
    fn a_key_stays_and_knows_its_own() {
        let parent = tempfile::tempdir().unwrap();
        let key = SigningKey::load_or_create(parent.path()).unwrap();
        let signature = key.sign(b"text");
        let again = SigningKey::load_or_create(parent.path()).unwrap();
        assert!(again.has_signed(b"text", &signature));
        assert!(!again.has_signed(b"texts", &signature));
        assert!(!again.has_signed(b"text", &signature[..31]));
        let other = tempfile::tempdir().unwrap();
        let other = SigningKey::load_or_create(other.path()).unwrap();
        assert!(!other.has_signed(b"text", &signature));
        let file = fs::metadata(parent.path().join(KEY_FILE)).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_key_is_an_error_and_stays() {
        let parent = tempfile::tempdir().unwrap();
        fs::write(parent.path().join(KEY_FILE), "short").unwrap();
        SigningKey::load_or_create(parent.path()).unwrap_err();
        assert_eq!(fs::read(parent.path().join(KEY_FILE)).unwrap(), b"short");
    }
}
