//! Kills processes that have outlived their parents.
//!
//! A process is recognised by a variable of its environment whose value nothing else has. It is held by a
//! descriptor before anything about it is read, so that the process that was examined is the one that is
//! killed, even if its process id is reused (`pidfd_open(2)`).

use crate::procfs;

/// Kills every process whose environment gives `variable` this value, and processes that those start meanwhile,
/// and waits for their end. Returns their process ids. Blocks for two seconds at most. Kills nothing on systems
/// other than Linux, which do not show environments reliably.
pub fn kill_marked(variable: &str, value: &str) -> Vec<i32> {
    system::kill_marked(variable, value)
}

#[cfg(not(target_os = "linux"))]
use fallback as system;
#[cfg(target_os = "linux")]
use linux as system;
pub(crate) use system::{HeldProcess, kill_all};

/// Opens the processes that descend from `of`.
pub(crate) fn hold_descendants(of: i32) -> Vec<HeldProcess> {
    let found = procfs::list_descendants(of);
    let still = |held: &HeldProcess| {
        // The process id cannot be reused from here on, but may have been before.
        let parent = procfs::read_stat(held.pid).map(|stat| stat.parent);
        parent.is_some_and(|parent| parent == of || found.contains(&parent))
    };
    let held = found.iter().filter_map(|pid| HeldProcess::open(*pid));
    held.filter(still).collect()
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{io, os::fd::OwnedFd, time::Duration};

    use rustix::{
        event::{PollFd, PollFlags, Timespec, poll},
        io::retry_on_intr,
        process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
    };
    use tokio::time::Instant;

    use crate::procfs;

    /// Longest wait for killed processes: one that hangs in the kernel does not end.
    const LIMIT: Duration = Duration::from_secs(2);

    /// The maximum number of reads of the environment of a process that is inside execve(2), where it is empty.
    const MAX_LOOKS: u32 = 2000;
    /// The pause between two of these reads.
    const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

    /// A process whose id is not reused while this is held, even if it has ended.
    #[derive(Debug)]
    pub(crate) struct HeldProcess {
        pub(crate) pid: i32,
        descriptor: OwnedFd,
    }

    impl HeldProcess {
        /// Opens the process that has this id now.
        pub(crate) fn open(pid: i32) -> Option<Self> {
            let descriptor = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
            Some(Self { pid, descriptor })
        }

        /// Kills the process. Returns true if it had not ended before.
        fn kill(&self) -> bool {
            // Signalling a zombie is no error.
            let is_alive = procfs::read_stat(self.pid).is_some_and(|stat| stat.is_alive);
            pidfd_send_signal(&self.descriptor, Signal::KILL).is_ok() && is_alive
        }

        /// Waits for the process to end, at most for `limit`.
        fn wait(&self, limit: Duration) {
            let limit = Timespec::try_from(limit).ok();
            // The descriptor can be read from when the process has ended (pidfd_open(2)).
            let mut ended = [PollFd::new(&self.descriptor, PollFlags::IN)];
            let _ = retry_on_intr(|| poll(&mut ended, limit.as_ref()));
        }

        /// Reads the environment with which the process was started. Retries while it is executing another
        /// program, when the old environment is gone and the new one not yet there.
        fn read_environment(&self, into: &mut Vec<u8>) -> io::Result<()> {
            for _ in 0..MAX_LOOKS {
                procfs::read_environment(self.pid, into)?;
                if !into.is_empty() {
                    return Ok(());
                }
                if !procfs::read_stat(self.pid).is_some_and(|stat| stat.is_between_programs) {
                    break;
                }
                self.wait(BETWEEN_LOOKS);
            }
            // The environment may have appeared since.
            procfs::read_environment(self.pid, into)
        }
    }

    pub(super) fn kill_marked(variable: &str, value: &str) -> Vec<i32> {
        let mut environment = Vec::new();
        kill_all(|| {
            let marked = |pid| {
                let process = HeldProcess::open(pid)?;
                process.read_environment(&mut environment).ok()?;
                procfs::has_variable(&environment, variable, value).then_some(process)
            };
            procfs::list_processes().filter_map(marked).collect()
        })
    }

    /// Kills the processes that `find` returns until it returns none: a process may have forked between being
    /// found and being killed. Returns the ids of the killed processes.
    pub(crate) fn kill_all(mut find: impl FnMut() -> Vec<HeldProcess>) -> Vec<i32> {
        let deadline = Instant::now() + LIMIT;
        let mut killed = Vec::new();
        loop {
            let found = find();
            for process in &found {
                if process.kill() && !killed.contains(&process.pid) {
                    killed.push(process.pid);
                }
            }
            for process in &found {
                process.wait(deadline.saturating_duration_since(Instant::now()));
            }
            if found.is_empty() || Instant::now() >= deadline {
                return killed;
            }
        }
    }
}

#[cfg(any(test, not(target_os = "linux")))]
mod fallback {
    /// A process. None is ever held on this system.
    #[derive(Debug)]
    pub(crate) struct HeldProcess {
        pub(crate) pid: i32,
    }

    impl HeldProcess {
        pub(crate) fn open(_: i32) -> Option<Self> {
            None
        }
    }

    pub(super) fn kill_marked(_: &str, _: &str) -> Vec<i32> {
        Vec::new()
    }

    pub(crate) fn kill_all(_: impl FnMut() -> Vec<HeldProcess>) -> Vec<i32> {
        Vec::new()
    }
}

#[cfg(test)]
mod fallback_tests {
    use super::fallback::{HeldProcess, kill_all, kill_marked};

    #[test]
    fn systems_without_pidfds_hold_and_kill_no_process() {
        assert!(HeldProcess::open(1).is_none_or(|held| held.pid == 0));
        assert!(kill_marked("PADDOCK_INSTANCE", "any").is_empty());
        assert!(kill_all(|| unreachable!("no process is searched for")).is_empty());
    }
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        process::{Child, Command, Stdio},
    };

    use super::*;
    use crate::marker::{InstanceMarker, MARKER_VARIABLE};

    /// Starts a shell with this marker that runs a script once it has read a line.
    fn marked(marker: &InstanceMarker, script: &str) -> Child {
        let script = format!("read line; echo; {script}");
        let mut child = Command::new("/bin/sh")
            .args(["-c", &script])
            .env_clear()
            .env(MARKER_VARIABLE, marker.as_str())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Until it has executed the shell, the child is a copy of this process, with its environment.
        child.stdin.as_ref().unwrap().write_all(b"\n").unwrap();
        let output = child.stdout.as_mut().unwrap();
        output.read_exact(&mut [0]).unwrap();
        child
    }

    #[test]
    fn a_process_that_is_just_becoming_another_program_is_killed() {
        for _ in 0..50 {
            let marker = InstanceMarker::new().unwrap();
            let mut child = marked(&marker, "exec /bin/cat");
            let pid = child.id().cast_signed();
            assert_eq!(kill_marked(MARKER_VARIABLE, marker.as_str()), [pid]);
            child.wait().unwrap();
        }
    }

    #[test]
    fn processes_that_go_on_forking_are_all_killed() {
        let marker = InstanceMarker::new().unwrap();
        let mut child = marked(&marker, "while :; do (sleep 100 & sleep 100 &) & done");
        assert!(!kill_marked(MARKER_VARIABLE, marker.as_str()).is_empty());
        child.wait().unwrap();
        assert_eq!(kill_marked(MARKER_VARIABLE, marker.as_str()), [0; 0]);
    }
}
