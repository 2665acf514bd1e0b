//! Locks a directory against a second paddock.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use paddock_telemetry::private_dir;

/// Maximum number of bytes read of a lock file: a pid.
const MAX_LOCK_BYTES: u64 = 16;

/// A locked file that contains the holder's pid. The kernel releases the lock when the process ends.
#[derive(Debug)]
pub(crate) struct DirLock {
    file: File,
}

/// Reasons why a directory cannot be locked.
#[derive(Debug)]
pub(crate) enum DirLockError {
    /// Another process holds the lock; its pid if readable.
    InUse(Option<u32>),
    /// The lock file cannot be checked, opened or locked.
    Io(io::Error),
}

impl DirLock {
    /// Locks a file, and creates it if missing. Only this user may enter its directory.
    pub(crate) fn acquire(path: &Path) -> Result<Self, DirLockError> {
        private_dir::check_file(path).map_err(DirLockError::Io)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(DirLockError::Io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(DirLockError::InUse(holder(&mut file))),
            Err(TryLockError::Error(source)) => return Err(DirLockError::Io(source)),
        }
        // The pid only serves another paddock's error message: a full disk is no failure.
        let _ = file
            .set_len(0)
            .and_then(|()| write!(file, "{}", std::process::id()));
        Ok(Self { file })
    }
}

impl Drop for DirLock {
    fn drop(&mut self) {
        // Closing is not enough: a process that is being forked at this moment has the file open as well.
        let _ = self.file.unlock();
    }
}

fn holder(lock: &mut File) -> Option<u32> {
    let mut text = String::new();
    lock.take(MAX_LOCK_BYTES).read_to_string(&mut text).ok()?;
    text.parse().ok()
}
