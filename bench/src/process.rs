//! A process that ends when its handle is dropped.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::clock;

/// The time a process gets to exit after each SIGTERM.
const STOP_GRACE_PERIODS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];

/// Limit on waiting for a process to exit.
const EXIT_TIMEOUT: Duration = Duration::from_secs(30);

/// Interval between checks for the exit.
const POLL_INTERVAL: Duration = Duration::from_millis(2);

#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a command with its output in `log`. The process gets no terminal signals and ends
    /// with this handle.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        let file = File::create(log).with_context(|| log.display().to_string())?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {program}"))?;
        Ok(Self {
            child,
            log: log.to_owned(),
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Fails with the process's output if the process has ended.
    pub(crate) fn check_running(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            let words = fs::read_to_string(&self.log).unwrap_or_default();
            bail!("the process ended with {status}:\n{words}");
        }
        Ok(())
    }

    /// Terminates the process and waits for its exit; fails unless it exits with success.
    pub(crate) fn end(mut self) -> Result<()> {
        self.terminate();
        if !self.exits_within(EXIT_TIMEOUT) {
            bail!("the process does not exit within {EXIT_TIMEOUT:?} of SIGTERM");
        }
        self.check_ended()
    }

    fn check_ended(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            Some(status) if status.success() => Ok(()),
            _ => self.check_running(),
        }
    }

    fn terminate(&self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // A process that has already ended needs no signal.
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    /// Returns true if the process exits within `limit`.
    fn exits_within(&mut self, limit: Duration) -> bool {
        let until = clock::now() + clock::nanoseconds(limit);
        while clock::now() < until {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return true;
            }
            clock::sleep(POLL_INTERVAL);
        }
        false
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        for grace in STOP_GRACE_PERIODS {
            self.terminate();
            if self.exits_within(grace) {
                return;
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
