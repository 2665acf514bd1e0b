//! Removing what an earlier paddock left behind that was cut off: by SIGKILL, a power cut, the end of
//! its container.
//!
//! Its children end with it; but what a child has started itself (an engine that is a wrapper script)
//! may go on, and its runtime directory stays. Such a directory is recognised by its record (see
//! [`crate::runtime_dir`]) and by nobody having it locked, and such a process by the run that its
//! environment names. What lacks any of these signs is not touched.

use std::fs::{self, DirEntry, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::runtime_dir::{self, Run};
use crate::state_dir::Key;

/// What was found and removed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Swept {
    /// Runtime directories.
    pub(crate) directories: Vec<PathBuf>,
    /// Process numbers.
    pub(crate) processes: Vec<i32>,
}

/// Sweeps a place of runtime directories. Blocks: it reads the place and, if it finds something,
/// `/proc`, and it waits up to two seconds for what it ends.
pub(crate) fn sweep(place: &Path, key: &Key) -> Swept {
    let mut swept = Swept::default();
    for (path, run, _lock) in abandoned(place, key) {
        swept.processes.extend(processes::end(&run));
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
fn is_ours(entry: &DirEntry) -> io::Result<bool> {
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

#[cfg(target_os = "linux")]
mod processes {
    use std::fs::{self, File};
    use std::io::Read;
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

    use crate::runtime_dir::{RUN_VARIABLE, Run};

    /// How long a killed process is waited for: one that hangs in the kernel is not.
    const REAPED_WITHIN: Duration = Duration::from_secs(2);

    /// The most that is read of an environment.
    const MOST_OF_ENVIRONMENT: u64 = 4 << 20;

    /// Kills the processes of a run and waits for their end. Returns their numbers.
    pub(super) fn end(run: &Run) -> Vec<i32> {
        let Ok(entries) = fs::read_dir("/proc") else {
            return Vec::new();
        };
        let numbers = entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let killed: Vec<(i32, OwnedFd)> = numbers
            .filter_map(|number| Some((number, kill(number, run)?)))
            .collect();
        killed
            .into_iter()
            .map(|(number, process)| {
                wait(&process);
                number
            })
            .collect()
    }

    /// Kills one process if it is of this run. The process is held before its environment is read, so
    /// that what is killed is what was looked at, whoever has its number by then.
    fn kill(number: i32, run: &Run) -> Option<OwnedFd> {
        let pid = Pid::from_raw(number)?;
        let process = pidfd_open(pid, PidfdFlags::empty()).ok()?;
        let mut environment = Vec::new();
        // Only that of this user's processes can be read.
        let file = File::open(format!("/proc/{number}/environ")).ok()?;
        file.take(MOST_OF_ENVIRONMENT)
            .read_to_end(&mut environment)
            .ok()?;
        if !names(&environment, run) {
            return None;
        }
        pidfd_send_signal(&process, Signal::KILL).ok()?;
        Some(process)
    }

    /// Whether an environment names the run.
    fn names(environment: &[u8], run: &Run) -> bool {
        let entry = format!("{RUN_VARIABLE}={}", run.as_str());
        environment
            .split(|byte| *byte == 0)
            .any(|found| found == entry.as_bytes())
    }

    fn wait(process: &OwnedFd) {
        let limit = Timespec::try_from(REAPED_WITHIN).ok();
        // A process's descriptor can be read from when it has ended (pidfd_open(2)).
        let mut ended = [PollFd::new(process, PollFlags::IN)];
        let _ = poll(&mut ended, limit.as_ref());
    }
}

#[cfg(not(target_os = "linux"))]
mod processes {
    /// Finds nothing: only Linux shows environments so that a process can be known for certain.
    pub(super) fn end(_: &crate::runtime_dir::Run) -> Vec<i32> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests;
