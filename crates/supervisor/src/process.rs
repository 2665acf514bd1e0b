//! A child process: signal it and its group, and reap it.

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

/// The longest time that is waited for killed leftovers of a group to vanish.
const GROUP_EXIT_TIMEOUT: Duration = Duration::from_millis(500);

/// The longest time a line to the child takes, should its stdin be full.
const STDIN_WRITE_TIMEOUT: Duration = Duration::from_millis(100);

/// Linux counts processor time in hundredths of a second (proc(5), `USER_HZ`).
const MILLIS_PER_TICK: u64 = 10;

/// A running child that leads a process group of its own. Dropped before it is reaped, the whole group
/// is killed.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pid: Pid,
    marker: InstanceMarker,
    children: ChildRegistry,
    /// The process's place among the children of this process, until it is reaped.
    forked: Option<ForkedChild>,
    /// What had been started by it, and by what it has started, before it was told to end.
    descendants: Vec<HeldProcess>,
    /// Held open: a llama-server that is ready exits when its stdin ends (llama.cpp b11434,
    /// tools/server/server-models.cpp). Kept apart from `child`, whose `wait` would close it.
    stdin: Option<ChildStdin>,
}

impl Process {
    /// Takes a child that has just been spawned in a process group of its own, with this marker in its
    /// environment.
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

    /// Returns the child's process id, which is its group's as well.
    pub(crate) const fn id(&self) -> u32 {
        self.pid.as_raw_pid().cast_unsigned()
    }

    /// Returns what marks the child's processes.
    pub(crate) const fn marker(&self) -> &InstanceMarker {
        &self.marker
    }

    /// Returns how long the child has used processors so far; nothing where that cannot be known.
    pub(crate) fn cpu_time(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap_or_default();
        // The name, in parentheses, may hold anything; utime and stime are the 12th and 13th after it.
        let fields = stat.rsplit(") ").next().unwrap_or_default();
        let ticks = fields.split(' ').skip(11).take(2);
        let ticks: u64 = ticks.filter_map(|field| field.parse::<u64>().ok()).sum();
        Duration::from_millis(ticks.saturating_mul(MILLIS_PER_TICK))
    }

    /// Hands over the reading ends of the child's output; each can be taken once.
    pub(crate) const fn take_output(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdout.take(), self.child.stderr.take())
    }

    /// Sends a signal to the child and all of its group, unless the child has been reaped: from then on
    /// its number may be another's.
    pub(crate) fn signal(&self, signal: Signal) {
        if self.forked.is_some() {
            signal_group(self.pid, signal);
        }
    }

    /// Writes a line to the child's stdin. Failure is harmless: the child has closed it, or is gone.
    pub(crate) async fn write_stdin(&mut self, line: &[u8]) {
        if let Some(stdin) = &mut self.stdin {
            let written = time::timeout(STDIN_WRITE_TIMEOUT, stdin.write_all(line)).await;
            tracing::trace!(pid = self.pid.as_raw_pid(), ?written);
        }
    }

    /// Ends the child's stdin.
    pub(crate) fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Waits for the child's end and reaps it. May be cancelled and called again.
    pub(crate) async fn wait(&mut self) -> Exit {
        let exit = match self.child.wait().await {
            Ok(status) => status.into(),
            Err(error) => {
                // Somebody else has reaped it: how it ended cannot be known.
                tracing::warn!(pid = self.id(), %error, "cannot wait for the child");
                Exit::Code(-1)
            }
        };
        self.forked = None;
        exit
    }

    /// Notes what the child has started, for [`Remains::kill`]. Called before the child is told to end: what it
    /// leaves behind is not known as its own afterwards, if it has left the group and emptied its
    /// environment.
    pub(crate) async fn note_descendants(&mut self) {
        let pid = self.pid.as_raw_pid();
        let held = blocking::run(move || leftovers::hold_descendants(pid)).await;
        self.descendants = held.unwrap_or_default();
    }

    /// Kills what is left of a reaped child's group, and waits until it is gone. Returns what may be left
    /// elsewhere.
    ///
    /// The group's number is not given to another process while the group has members. If it has none,
    /// the number is free since the reaping, a moment ago; the kernel hands numbers out in a circle, so
    /// it does not come round within that moment.
    pub(crate) async fn kill_group(mut self) -> ChildLeftovers {
        let limit = Instant::now() + GROUP_EXIT_TIMEOUT;
        let mut left = signal_group(self.pid, Signal::KILL);
        while left && Instant::now() < limit {
            time::sleep(Duration::from_millis(1)).await;
            left = test_kill_process_group(self.pid).is_ok();
        }
        if left {
            // Zombies that nobody reaps count as members too: a container whose init does not reap.
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

/// Signals a group; tells whether it has members.
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
