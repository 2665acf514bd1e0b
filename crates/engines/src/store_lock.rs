//! Excludes other processes while a directory of engines changes.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::engine_name::{REMOVING_SUFFIX, UNPACKING_SUFFIX};

const LOCK_FILE: &str = ".lock";

/// An exclusive lock on a directory of engines, until dropped.
#[derive(Debug)]
pub(crate) struct StoreLock(
    #[expect(dead_code, reason = "dropping the file releases the lock")] File,
);

impl StoreLock {
    /// Creates the directory if it is missing, waits for other processes, and removes what killed ones have left.
    pub(crate) fn acquire(store: &Path) -> io::Result<Self> {
        fs::create_dir_all(store)?;
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(store.join(LOCK_FILE))?;
        file.lock()?;
        remove_leftovers(store)?;
        Ok(Self(file))
    }
}

fn remove_leftovers(store: &Path) -> io::Result<()> {
    for entry in fs::read_dir(store)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.ends_with(UNPACKING_SUFFIX) || name.ends_with(REMOVING_SUFFIX) {
            match entry.file_type()?.is_dir() {
                true => fs::remove_dir_all(entry.path())?,
                false => fs::remove_file(entry.path())?,
            }
        }
    }
    Ok(())
}
