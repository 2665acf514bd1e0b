//! The state directory: what outlives a run of paddock, in the hands of one at a time.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use paddock_telemetry::private_dir;

/// The file that is locked, with the holder's process number in it.
const LOCK: &str = "lock";

/// The file of the [`Key`].
const KEY: &str = "key";

/// One block of SHA-256.
const KEY_BYTES: usize = 64;

/// The most that is read of a lock file: a process number.
const MOST_OF_LOCK: u64 = 16;

/// The state directory, held until it is dropped; the system lets go of it when the process ends,
/// however it does.
#[derive(Debug)]
pub struct StateDir {
    lock: File,
}

/// Why the state directory is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum StateDirError {
    /// Another paddock has it.
    #[error(
        "{}{} uses the state directory {}: stop that one, or give this one its own \
         with `state_dir` under [server]",
        "another paddock", .pid.map(|pid| format!(" (process {pid})")).unwrap_or_default(), .path.display()
    )]
    InUse {
        /// The directory.
        path: PathBuf,
        /// The process that has it, as far as it could say so.
        pid: Option<u32>,
    },
    /// The system denies it.
    #[error("cannot use the state directory {}: {source}", .path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl StateDir {
    /// Takes the directory, which is made if it is not there, with no access for others. One that others
    /// could use is closed to them.
    ///
    /// # Errors
    /// Another paddock has it, the system denies it, or somebody else may have put something there.
    pub fn take(path: &Path) -> Result<Self, StateDirError> {
        let denied = |source| StateDirError::Io {
            path: path.to_owned(),
            source,
        };
        private_dir::create(path).map_err(denied)?;
        let lock = path.join(LOCK);
        private_dir::check_file(&lock).map_err(denied)?;
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(lock)
            .map_err(denied)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StateDirError::InUse {
                    path: path.to_owned(),
                    pid: holder(&mut lock),
                });
            }
            Err(TryLockError::Error(source)) => return Err(denied(source)),
        }
        // Only words for whoever comes second: on a full disk they are missing.
        let _ = lock
            .set_len(0)
            .and_then(|()| write!(lock, "{}", std::process::id()));
        Ok(Self { lock })
    }
}

impl Drop for StateDir {
    fn drop(&mut self) {
        // Said outright: a process that is being forked at this moment has the file open as well.
        let _ = self.lock.unlock();
    }
}

fn holder(lock: &mut File) -> Option<u32> {
    let mut text = String::new();
    lock.take(MOST_OF_LOCK).read_to_string(&mut text).ok()?;
    text.parse().ok()
}

/// A secret of this state directory, with which paddock knows again what it has written itself.
#[derive(Clone)]
pub struct Key([u8; KEY_BYTES]);

impl Key {
    /// Reads the key of a state directory; the first time it is made.
    ///
    /// # Errors
    /// The system denies it, or the file holds something else.
    pub fn of(directory: &Path) -> io::Result<Self> {
        private_dir::create(directory)?;
        let path = directory.join(KEY);
        private_dir::check_file(&path)?;
        match fs::read(&path) {
            Ok(bytes) => Self::try_from(bytes.as_slice()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::make(directory, &path),
            Err(error) => Err(error),
        }
    }

    fn make(directory: &Path, path: &Path) -> io::Result<Self> {
        let mut bytes = [0; KEY_BYTES];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        // Whole or not there at all, for others read it at the same time. Its mode is 0600.
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

    /// Whether this key has signed the text.
    pub(crate) fn has_signed(&self, text: &[u8], signature: &[u8]) -> bool {
        self.mac(text).verify_slice(signature).is_ok()
    }

    fn mac(&self, text: &[u8]) -> Hmac<Sha256> {
        Hmac::<Sha256>::new(&self.0.into()).chain_update(text)
    }
}

impl TryFrom<&[u8]> for Key {
    type Error = io::Error;

    fn try_from(bytes: &[u8]) -> io::Result<Self> {
        let wrong = |_| io::Error::new(io::ErrorKind::InvalidData, "the key file is damaged");
        bytes.try_into().map(Self).map_err(wrong)
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn one_has_it_at_a_time() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a/b");
        let first = StateDir::take(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let second = StateDir::take(&path).unwrap_err();
        let StateDirError::InUse { pid, .. } = &second else {
            panic!("{second}");
        };
        assert_eq!(*pid, Some(std::process::id()));
        let words = second.to_string();
        let id = std::process::id();
        let told = format!("another paddock (process {id}) uses the state directory");
        assert!(words.starts_with(&told), "{words}");
        drop(first);
        StateDir::take(&path).unwrap();
    }

    #[test]
    fn what_others_put_there_is_not_opened() {
        let place = tempfile::tempdir().unwrap();
        let (path, victim) = (place.path().join("state"), place.path().join("victim"));
        fs::write(&victim, "precious").unwrap();
        fs::create_dir(&path).unwrap();
        for name in [LOCK, KEY] {
            std::os::unix::fs::symlink(&victim, path.join(name)).unwrap();
        }
        let words = StateDir::take(&path).unwrap_err().to_string();
        assert!(words.contains("lock is a symbolic link"), "{words}");
        let words = Key::of(&path).unwrap_err().to_string();
        assert!(words.contains("key is a symbolic link"), "{words}");
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
    }

    #[test]
    fn what_is_no_directory_is_an_error_of_the_system() {
        let place = tempfile::NamedTempFile::new().unwrap();
        let error = StateDir::take(place.path()).unwrap_err();
        assert!(matches!(error, StateDirError::Io { .. }), "{error}");
    }

    #[test]
    fn a_key_stays_and_knows_its_own() {
        let place = tempfile::tempdir().unwrap();
        let key = Key::of(place.path()).unwrap();
        let signature = key.sign(b"text");
        let again = Key::of(place.path()).unwrap();
        assert!(again.has_signed(b"text", &signature));
        assert!(!again.has_signed(b"texts", &signature));
        assert!(!again.has_signed(b"text", &signature[..31]));
        let other = tempfile::tempdir().unwrap();
        let other = Key::of(other.path()).unwrap();
        assert!(!other.has_signed(b"text", &signature));
        let file = fs::metadata(place.path().join(KEY)).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_key_is_an_error_and_stays() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join(KEY), "short").unwrap();
        Key::of(place.path()).unwrap_err();
        assert_eq!(fs::read(place.path().join(KEY)).unwrap(), b"short");
    }
}
