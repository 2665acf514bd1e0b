//! Removes what an earlier paddock left behind after SIGKILL, a power cut or the end of its container.
//!
//! If paddock is killed, its children (llama-server processes) end, and its cleanup process kills the processes that
//! they started. The cleanup process may have been killed too, and the runtime directory stays. A stale directory is
//! recognized by its signed record (see [`crate::runtime_dir`]) and the missing lock, and a stale process by the run id
//! in its environment. Anything else is left alone.

use std::ffi::OsStr;
use std::fs::{self, DirEntry, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use paddock_supervisor::kill_marked;

use crate::runtime_dir::{self, RUN_VARIABLE, RunId};
use crate::state_dir::SigningKey;

/// The directories and processes that were removed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct CleanupReport {
    /// Removed runtime directories.
    pub(crate) directories: Vec<PathBuf>,
    /// Pids of killed processes.
    pub(crate) processes: Vec<i32>,
}

/// Removes stale runtime directories below `parent` and kills their processes. Blocks: reads the directory and, if
/// something is stale, `/proc`, and waits up to two seconds for the killed processes.
pub fn remove_stale_state(parent: &Path, key: &SigningKey) -> CleanupReport {
    let mut report = CleanupReport::default();
    for (path, run, _lock) in find_stale_dirs(parent, key) {
        let killed = kill_marked(RUN_VARIABLE, run.as_str());
        report.processes.extend(killed);
        match fs::remove_dir_all(&path) {
            Ok(()) => report.directories.push(path),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "could not remove the runtime directory of an earlier paddock");
            }
        }
    }
    if report != CleanupReport::default() {
        tracing::info!(
            directories = ?report.directories,
            processes = ?report.processes,
            "removed leftovers of an earlier paddock"
        );
    }
    report
}

/// Returns the runtime directories without a running paddock, locked against other cleanups.
fn find_stale_dirs(parent: &Path, key: &SigningKey) -> Vec<(PathBuf, RunId, File)> {
    let Ok(entries) = fs::read_dir(parent) else {
        return Vec::new();
    };
    let check = |entry: DirEntry| {
        if !is_own_runtime_dir(&entry).ok()? {
            return None;
        }
        let path = entry.path();
        let run = runtime_dir::read_run_id(&path, key)?;
        let lock = File::open(&path).ok()?;
        lock.try_lock().ok()?;
        Some((path, run, lock))
    };
    entries.flatten().filter_map(check).collect()
}

/// Returns true for a runtime directory of this user that only this user can write to.
pub(crate) fn is_own_runtime_dir(entry: &DirEntry) -> io::Result<bool> {
    if !has_runtime_dir_name(&entry.file_name()) {
        return Ok(false);
    }
    // `DirEntry::metadata` does not follow links.
    let metadata = entry.metadata()?;
    let facts = EntryFacts {
        is_directory: metadata.is_dir(),
        owner: metadata.uid(),
        mode: metadata.mode(),
    };
    Ok(facts.is_private_dir_of(rustix::process::geteuid().as_raw()))
}

fn has_runtime_dir_name(name: &OsStr) -> bool {
    let prefix = runtime_dir::NAME_PREFIX.as_bytes();
    name.as_encoded_bytes().starts_with(prefix)
}

/// The facts by which a runtime directory is recognized, apart from its name.
#[derive(Debug, Clone, Copy)]
struct EntryFacts {
    is_directory: bool,
    /// User id of the owner.
    owner: u32,
    mode: u32,
}

impl EntryFacts {
    /// Returns true for a directory to which only `user` has access.
    fn is_private_dir_of(self, user: u32) -> bool {
        self.is_directory && self.owner == user && self.mode & 0o777 == 0o700
    }
}

#[cfg(test)]
mod tests;
