//! A process that lives no longer than its value.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::clock;

/// How long a process may take to end after each signal.
const GRACE: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];

/// How long one may take to end that is waited for.
const END: Duration = Duration::from_secs(30);

/// Between two looks at a process that is to end.
const PAUSE: Duration = Duration::from_millis(2);

#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a command, with what it says in `log`. It gets no signal of the terminal: this
    /// value's end is its end.
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

    /// Fails with the process's own words if it has ended.
    pub(crate) fn check(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            let words = fs::read_to_string(&self.log).unwrap_or_default();
            bail!("it ended with {status}:\n{words}");
        }
        Ok(())
    }

    /// Tells it to end, and waits until it has; fails if it does not end well.
    pub(crate) fn end(mut self) -> Result<()> {
        self.signal();
        if !self.ends(END) {
            bail!("it does not end");
        }
        self.check_ended()
    }

    fn check_ended(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            Some(status) if status.success() => Ok(()),
            _ => self.check(),
        }
    }

    fn signal(&self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // One that is gone already needs no signal.
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    /// Whether it ends within a time.
    fn ends(&mut self, limit: Duration) -> bool {
        let until = clock::now() + clock::nanoseconds(limit);
        while clock::now() < until {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return true;
            }
            clock::sleep(PAUSE);
        }
        false
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        for grace in GRACE {
            self.signal();
            if self.ends(grace) {
                return;
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
