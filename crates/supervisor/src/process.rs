//! Signals a child process and its process group, and reaps the child.

use std::{fs, io, mem, time::Duration};

use rustix::{
    io::Errno,
    process::{Pid, Signal, kill_process_group, test_kill_process_group},
};
use tokio::{
    io::AsyncWriteExt as _,
    process::{Child, ChildStderr, ChildStdin, ChildStdout},
    time::{self, Instant},
};

use crate::{
    Exit, blocking,
    child_leftovers::ChildLeftovers,
    leftovers::{self, HeldProcess},
    marker::InstanceMarker,
    orphans::{ChildRegistry, ForkedChild},
};

/// Longest wait for the killed members of a group to disappear.
const GROUP_EXIT_TIMEOUT: Duration = Duration::from_millis(500);

/// Longest wait for a line to be written to the child's stdin, which may be full.
const STDIN_WRITE_TIMEOUT: Duration = Duration::from_millis(100);

/// Linux counts processor time in hundredths of a second (proc(5), `USER_HZ`).
const MILLIS_PER_TICK: u64 = 10;

/// A running child that leads a process group of its own. Dropping it before it is reaped kills the whole
/// group.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pid: Pid,
    marker: InstanceMarker,
    children: ChildRegistry,
    /// The child's entry in the registry of children, until it is reaped.
    forked: Option<ForkedChild>,
    /// The descendants of the child before it was asked to end.
    descendants: Vec<HeldProcess>,
    /// Held open: a llama-server that is ready exits when its stdin ends (llama.cpp b11434,
    /// tools/server/server-models.cpp). Kept apart from `child`, whose `wait` would close it.
    stdin: Option<ChildStdin>,
}

impl Process {
    /// Wraps a child that was just spawned in a process group of its own, with this marker in its environment.
    ///
    /// # Errors
    ///
    /// The child has been reaped already.
    pub(crate) fn new(
        mut child: Child,
        marker: InstanceMarker,
        forked: ForkedChild,
    ) -> io::Result<Self> {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        let pid = id
            .and_then(Pid::from_raw)
            .ok_or_else(|| io::Error::other("no process id"))?;
        let stdin = child.stdin.take();
        Ok(Self {
            child,
            pid,
            marker,
            children: forked.children().clone(),
            forked: Some(forked),
            descendants: Vec::new(),
            stdin,
        })
    }

    /// Returns the child's process id, which is also that of its group.
    pub(crate) const fn id(&self) -> u32 {
        self.pid.as_raw_pid().cast_unsigned()
    }

    /// Returns the marker of the child's processes.
    pub(crate) const fn marker(&self) -> &InstanceMarker {
        &self.marker
    }

    /// Returns the processor time that the child has used so far; zero if it is not known.
    pub(crate) fn cpu_time(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap_or_default();
        // The name, in parentheses, may contain anything; utime and stime are the 12th and 13th field after it.
        let fields = stat.rsplit(") ").next().unwrap_or_default();
        let ticks = fields.split(' ').skip(11).take(2);
        let ticks: u64 = ticks.filter_map(|field| field.parse::<u64>().ok()).sum();
        Duration::from_millis(ticks.saturating_mul(MILLIS_PER_TICK))
    }

    /// Returns the reading ends of the child's output; each can be taken once.
    pub(crate) const fn take_output(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdout.take(), self.child.stderr.take())
    }

    /// Sends a signal to the child's group, unless the child has been reaped: its process id may be reused from
    /// then on.
    pub(crate) fn signal(&self, signal: Signal) {
        if self.forked.is_some() {
            signal_group(self.pid, signal);
        }
    }

    /// Writes a line to the child's stdin. Failure is harmless: the child has closed it, or has exited.
    pub(crate) async fn write_stdin(&mut self, line: &[u8]) {
        if let Some(stdin) = &mut self.stdin {
            let written = time::timeout(STDIN_WRITE_TIMEOUT, stdin.write_all(line)).await;
            tracing::trace!(pid = self.pid.as_raw_pid(), ?written);
        }
    }

    /// Closes the child's stdin.
    pub(crate) fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Waits for the child's exit and reaps it. May be cancelled and called again.
    pub(crate) async fn wait(&mut self) -> Exit {
        let exit = match self.child.wait().await {
            Ok(status) => status.into(),
            Err(error) => {
                // Another part of this process has reaped it, so its exit status is lost.
                tracing::warn!(pid = self.id(), %error, "cannot wait for the child");
                Exit::Code(-1)
            }
        };
        self.forked = None;
        exit
    }

    /// Records the child's descendants, for [`ChildLeftovers::kill`]. Called before the child is asked to end,
    /// because a process that has left the group and emptied its environment cannot be recognised afterwards.
    pub(crate) async fn note_descendants(&mut self) {
        let pid = self.pid.as_raw_pid();
        let held = blocking::run(move || leftovers::hold_descendants(pid)).await;
        self.descendants = held.unwrap_or_default();
    }

    /// Kills the rest of a reaped child's group, and waits until it is gone. Returns the processes that may be
    /// left elsewhere.
    ///
    /// The group's id is not given to another process while the group has members. If it has none, the id is
    /// free since the reaping, a moment ago; the kernel assigns ids in a circle, which does not come round
    /// within that moment.
    pub(crate) async fn kill_group(mut self) -> ChildLeftovers {
        let limit = Instant::now() + GROUP_EXIT_TIMEOUT;
        let mut left = signal_group(self.pid, Signal::KILL);
        while left && Instant::now() < limit {
            time::sleep(Duration::from_millis(1)).await;
            left = test_kill_process_group(self.pid).is_ok();
        }
        if left {
            // Zombies that no process reaps count as members too, for instance in a container whose init does
            // not reap.
            tracing::debug!(
                group = self.id(),
                "members of the process group remain after SIGKILL"
            );
        }
        ChildLeftovers {
            pid: self.id(),
            marker: self.marker.clone(),
            descendants: mem::take(&mut self.descendants),
            children: self.children.clone(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// Sends a signal to a group. Returns true if the group has members.
fn signal_group(group: Pid, signal: Signal) -> bool {
    match kill_process_group(group, signal) {
        Ok(()) => true,
        Err(Errno::SRCH) => false,
        Err(error) => {
            let group = group.as_raw_pid();
            tracing::warn!(group, ?signal, %error, "cannot signal the process group");
            false
        }
    }
}
