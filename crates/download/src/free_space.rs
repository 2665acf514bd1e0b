//! Checks that the disk is large enough before anything is written.

use std::path::Path;

use crate::error::TransferError;

/// Fails if the file system of `directory` has less than `needed` bytes free for this user.
pub fn check_free_space(directory: &Path, needed: u64) -> Result<(), TransferError> {
    let stat = rustix::fs::statvfs(directory)
        .map_err(std::io::Error::from)
        .map_err(TransferError::file("read the free space of", directory))?;
    let available = stat.f_bavail.saturating_mul(stat.f_frsize);
    match needed > available {
        true => Err(TransferError::NoSpace {
            path: directory.to_owned(),
            needed,
            available,
        }),
        false => Ok(()),
    }
}
