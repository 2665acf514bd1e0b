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
    use std::io::{self, Read};
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::io::retry_on_intr;
    use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

    use crate::runtime_dir::{RUN_VARIABLE, Run};

    /// How long a killed process is waited for: one that hangs in the kernel is not.
    const REAPED_WITHIN: Duration = Duration::from_secs(2);

    /// How often a process that is becoming another program is looked at, and the time in between.
    const LOOKS: u32 = 2000;
    const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

    /// The most that is read of an environment.
    const MOST_READ: usize = 4 << 20;

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
                wait(&process, REAPED_WITHIN);
                number
            })
            .collect()
    }

    /// Kills one process if it is of this run. The process is held before its environment is read, so
    /// that what is killed is what was looked at, whoever has its number by then.
    pub(super) fn kill(number: i32, run: &Run) -> Option<OwnedFd> {
        let pid = Pid::from_raw(number)?;
        let process = pidfd_open(pid, PidfdFlags::empty()).ok()?;
        if !names(&environment(number, &process).ok()?, run) {
            return None;
        }
        pidfd_send_signal(&process, Signal::KILL).ok()?;
        Some(process)
    }

    /// The environment a process was started with, once it has one: between two programs there is a
    /// moment when the old one's is gone and the new one's not yet there.
    fn environment(number: i32, process: &OwnedFd) -> io::Result<Vec<u8>> {
        for _ in 0..LOOKS {
            let found = read(number, "environ")?;
            if !found.is_empty() {
                return Ok(found);
            }
            if !is_between_programs(&read(number, "stat")?) {
                break;
            }
            wait(process, BETWEEN_LOOKS);
        }
        // It may have got it since.
        read(number, "environ")
    }

    /// Whether a process has memory (the kernel's own and the ended have none) and no program in it:
    /// where that starts is written down after arguments and environment.
    fn is_between_programs(stat: &[u8]) -> bool {
        // The name before them may hold anything.
        let after_name = stat.rsplit(|byte| *byte == b')').next().unwrap_or_default();
        let mut fields = after_name.split(|byte| *byte == b' ').skip(1);
        // `vsize` and `startcode`, the 23rd and the 26th (proc_pid_stat(5)).
        let (memory, program) = (fields.nth(20), fields.nth(2));
        memory.is_some_and(|size| size != b"0") && program == Some(b"0")
    }

    /// Reads what the kernel says of a process; of an environment, only that of this user's. At once:
    /// between two reads the process may have become another program.
    fn read(number: i32, what: &str) -> io::Result<Vec<u8>> {
        let mut found = vec![0; MOST_READ];
        let length = File::open(format!("/proc/{number}/{what}"))?.read(&mut found)?;
        found.truncate(length);
        Ok(found)
    }

    /// Whether an environment names the run.
    fn names(environment: &[u8], run: &Run) -> bool {
        let entry = format!("{RUN_VARIABLE}={}", run.as_str());
        environment
            .split(|byte| *byte == 0)
            .any(|found| found == entry.as_bytes())
    }

    /// Waits for a process's end, for a time at most.
    fn wait(process: &OwnedFd, limit: Duration) {
        let limit = Timespec::try_from(limit).ok();
        // A process's descriptor can be read from when it has ended (pidfd_open(2)).
        let mut ended = [PollFd::new(process, PollFlags::IN)];
        let _ = retry_on_intr(|| poll(&mut ended, limit.as_ref()));
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
