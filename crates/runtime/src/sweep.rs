//! Removing what an earlier paddock left behind that was cut off: by SIGKILL, a power cut, the end of
//! its container.
//!
//! Its children end with it, and its watcher kills what those have started; but the watcher may have been
//! killed too, and its runtime directory stays. Such a directory is recognised by its record (see
//! [`crate::runtime_dir`]) and by nobody having it locked, and such a process by the run that its
//! environment names. What lacks any of these signs is not touched.

use std::fs::{self, DirEntry, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use paddock_supervisor::kill_marked;

use crate::runtime_dir::{self, RUN_VARIABLE, Run};
use crate::state_dir::Key;

/// What was found and removed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Runtime directories.
    pub(crate) directories: Vec<PathBuf>,
    /// Process numbers.
    pub(crate) processes: Vec<i32>,
}

/// Sweeps a place of runtime directories. Blocks: it reads the place and, if it finds something,
/// `/proc`, and it waits up to two seconds for what it ends.
pub fn sweep(place: &Path, key: &Key) -> Swept {
    let mut swept = Swept::default();
    for (path, run, _lock) in abandoned(place, key) {
        let killed = kill_marked(RUN_VARIABLE, run.as_str());
        swept.processes.extend(killed);
        match fs::remove_dir_all(&path) {
            Ok(()) => swept.directories.push(path),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "an earlier runtime directory stays");
            }
        }
    }
    if swept != Swept::default() {
        tracing::info!(
            directories = ?swept.directories,
            processes = ?swept.processes,
            "removed what an earlier paddock left behind"
        );
    }
    swept
}

/// The runtime directories whose paddock is gone, locked against others that sweep.
fn abandoned(place: &Path, key: &Key) -> Vec<(PathBuf, Run, File)> {
    let Ok(entries) = fs::read_dir(place) else {
        return Vec::new();
    };
    let look = |entry: DirEntry| {
        if !is_ours(&entry).ok()? {
            return None;
        }
        let path = entry.path();
        let run = runtime_dir::run_of(&path, key)?;
        let lock = File::open(&path).ok()?;
        lock.try_lock().ok()?;
        Some((path, run, lock))
    };
    entries.flatten().filter_map(look).collect()
}

/// Whether it is a directory of this user, into which nobody else could have put anything.
pub(crate) fn is_ours(entry: &DirEntry) -> io::Result<bool> {
    let name = entry.file_name();
    if !name
        .as_encoded_bytes()
        .starts_with(runtime_dir::PREFIX.as_bytes())
    {
        return Ok(false);
    }
    // Not of what a link points to.
    let found = entry.metadata()?;
    let mine = found.uid() == rustix::process::geteuid().as_raw();
    Ok(found.is_dir() && mine && found.mode() & 0o777 == 0o700)
}

#[cfg(test)]
mod tests;
