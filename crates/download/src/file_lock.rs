//! Locks a download against other processes.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::error::TransferError;
use crate::plain_file::open_or_create;

/// Time between two attempts to take a lock that another process holds.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// The mode that `huggingface_hub` gives its lock files (utils/_fixes.py, `WeakFileLock`), whatever the umask: without
/// it, other users of a shared cache could not take the lock.
const LOCK_MODE: u32 = 0o664;

/// A lock, held until it is dropped or the process ends.
#[derive(Debug)]
pub(crate) struct FileLock {
    path: PathBuf,
    _file: File,
    remove: bool,
}

impl FileLock {
    /// Takes the lock at `path`. Calls `waiting` once if another process holds it, and waits.
    ///
    /// With `remove`, the file is deleted with the lock. Without it the file stays, because Python's filelock, which
    /// `huggingface_hub` uses, does not expect its file to vanish.
    ///
    /// Polls, because a thread that waits inside `flock` could not be interrupted.
    pub(crate) async fn acquire(
        path: &Path,
        remove: bool,
        waiting: impl Fn(),
    ) -> Result<Self, TransferError> {
        let mut is_waiting = false;
        loop {
            if let Some(file) = try_lock(path).map_err(TransferError::file("lock", path))? {
                return Ok(Self {
                    path: path.to_owned(),
                    _file: file,
                    remove,
                });
            }
            if !is_waiting {
                is_waiting = true;
                waiting();
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        if self.remove {
            // Whoever has opened this file finds after locking it that it is no longer at this path.
            let _stays = fs::remove_file(&self.path);
        }
    }
}

/// Returns the locked file, or `None` if another process holds the lock.
fn try_lock(path: &Path) -> io::Result<Option<File>> {
    let file = open_or_create(path)?;
    // Only the owner may do this; another user's file has the right mode, or could not be opened.
    let _same_mode = file.set_permissions(Permissions::from_mode(LOCK_MODE));
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    // The last holder may have deleted the file between the two calls above.
    let locked = file.metadata()?;
    let is_current =
        fs::metadata(path).is_ok_and(|now| (now.dev(), now.ino()) == (locked.dev(), locked.ino()));
    Ok(is_current.then_some(file))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn a_second_holder_waits_and_the_file_vanishes_with_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.lock");
        let first = FileLock::acquire(&path, true, || panic!("free"))
            .await
            .unwrap();
        let waits = Cell::new(0);
        let second = FileLock::acquire(&path, true, || waits.set(waits.get() + 1));
        let release = async {
            while waits.get() == 0 {
                tokio::task::yield_now().await;
            }
            drop(first);
        };
        let (second, ()) = tokio::join!(second, release);
        assert_eq!(waits.get(), 1);
        assert!(path.exists());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, LOCK_MODE);
        drop(second.unwrap());
        assert!(!path.exists());
    }
}
