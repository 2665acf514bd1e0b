//! Takes the locks of downloads, so that no file is deleted that a download is about to use.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// The mode of lock files that several users share, as `huggingface_hub` sets it.
const LOCK_MODE: u32 = 0o664;

/// The lock of a file, held until it is dropped.
#[derive(Debug)]
pub(crate) struct StoreLock {
    path: PathBuf,
    _file: File,
    remove: bool,
}

impl StoreLock {
    /// Takes the lock at `path`; `None` if another process holds it. With `remove`, the file is deleted with the lock.
    pub(crate) fn try_take(path: &Path, remove: bool) -> io::Result<Option<Self>> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        // Neither follows a link nor waits for a pipe that another user has put there.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .custom_flags(flags.bits().cast_signed())
            .open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() || metadata.nlink() > 1 {
            let cause = "it is not a regular file, or has a second name";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, cause));
        }
        // Only the owner may do this; another user's file has the right mode, or could not be opened.
        let _same_mode = file.set_permissions(Permissions::from_mode(LOCK_MODE));
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Ok(None),
            Err(fs::TryLockError::Error(error)) => return Err(error),
        }
        // The last holder may have deleted the file between the two calls above.
        let is_current = fs::metadata(path)
            .is_ok_and(|now| (now.dev(), now.ino()) == (metadata.dev(), metadata.ino()));
        Ok(is_current.then(|| Self {
            path: path.to_owned(),
            _file: file,
            remove,
        }))
    }
}

impl Drop for StoreLock {
    fn drop(&mut self) {
        if self.remove {
            // Whoever has opened this file finds after locking it that it is no longer at this path.
            let _stays = fs::remove_file(&self.path);
        }
    }
}
