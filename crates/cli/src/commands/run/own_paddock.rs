//! A `paddock serve` that ends with the chat.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use paddock_api::Status;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use super::directory;
use super::error::RunError;
use super::serve_command::{ADMIN_SOCKET, CONFIG_FILE, ServedModel};
use crate::admin::{Address, AdminClient};
use crate::commands::exec;

/// Time between two attempts to reach a paddock that starts.
const RETRY_INTERVAL: Duration = Duration::from_millis(20);
/// Time that a paddock has to stop before it is killed; longer than the children's own time limit.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
/// Number of lines of output to show if paddock does not start.
const SHOWN_LINES: usize = 20;

/// A paddock of this command, with a directory for its socket, its state and its output.
#[derive(Debug)]
pub(super) struct OwnPaddock {
    child: Child,
    directory: TempDir,
}

impl OwnPaddock {
    /// Starts a paddock. Unless it is to be kept, the kernel kills it when this process ends without stopping it.
    ///
    /// # Errors
    ///
    /// The directory or the process cannot be created.
    pub(super) fn start(model: &ServedModel, keep: bool) -> Result<Self, RunError> {
        let directory = directory::create()?;
        let path = |name: &str| directory.path().join(name);
        if let Some(text) = model.config_text(&path("state"))? {
            fs::write(path(CONFIG_FILE), text)?;
        }
        let shim = exec::build_shim()?;
        let mut words: Vec<OsString> = Vec::new();
        if !keep {
            // The shim ties the process to this one.
            words.extend(shim.args);
            words.push(std::process::id().to_string().into());
            words.push("--".into());
            words.push(shim.program.clone().into());
        }
        words.extend(model.serve_arguments(directory.path(), keep));
        let log = File::create(path("log"))?;
        let child = Command::new(&shim.program)
            .arg0("paddock")
            .args(words)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C stops an answer, not paddock.
            .process_group(0)
            .kill_on_drop(!keep)
            .spawn()?;
        Ok(Self { child, directory })
    }

    /// Returns the admin address.
    pub(super) fn address(&self) -> Address {
        Address::Unix(self.directory.path().join(ADMIN_SOCKET))
    }

    fn log_file(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    /// Waits until paddock answers, and returns its status.
    ///
    /// # Errors
    ///
    /// The process has ended.
    pub(super) async fn wait_until_ready(
        &mut self,
        client: &AdminClient,
    ) -> Result<Status, RunError> {
        loop {
            if let Ok(answer) = client.status().await {
                return Ok(answer.read().await?);
            }
            tokio::select! {
                _ended = self.child.wait() => return Err(RunError::Ended(self.last_lines())),
                () = sleep(RETRY_INTERVAL) => {}
            }
        }
    }

    fn last_lines(&self) -> String {
        let log = fs::read(self.log_file()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
    }

    /// Asks paddock to stop, and waits until it has stopped its children.
    pub(super) async fn stop(mut self) {
        if self.terminate().is_ok() && timeout(STOP_TIMEOUT, self.child.wait()).await.is_ok() {
            return;
        }
        // Fails only if the process has ended.
        let _ended = self.child.kill().await;
    }

    fn terminate(&self) -> io::Result<()> {
        let pid = self
            .child
            .id()
            .and_then(|pid| Pid::from_raw(pid.cast_signed()));
        match pid {
            Some(pid) => Ok(kill_process(pid, Signal::TERM)?),
            None => Ok(()),
        }
    }

    /// Leaves paddock running, and returns its addresses and the command that stops it.
    pub(super) fn keep(self) -> String {
        let log = fs::read_to_string(self.log_file()).unwrap_or_default();
        let addresses = announced_addresses(&log).unwrap_or_default();
        let pid = self.child.id().unwrap_or_default();
        let directory = self.directory.keep();
        format!(
            "paddock keeps running{addresses}; its output is in {}\n  = help: `kill {pid}` stops it",
            directory.join("log").display(),
        )
    }
}

/// Returns the addresses for clients and operators that paddock has logged, as the end of a sentence. The log is JSON,
/// because it is no terminal.
fn announced_addresses(log: &str) -> Option<String> {
    let mut events = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let serving = events.find(|event| event["listen"].is_string())?;
    let text = |key: &str| serving[key].as_str().map(str::to_owned);
    Some(format!(
        ": clients at {}, dashboard at {}",
        text("listen")?,
        text("admin")?
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_from_the_log() {
        let log = "{\"message\":\"a\"}\nnot json\n{\"message\":\"serving\",\"listen\":\"http://l\",\"admin\":\"http://a\"}\n";
        let expected = ": clients at http://l, dashboard at http://a";
        assert_eq!(announced_addresses(log).as_deref(), Some(expected));
        assert_eq!(announced_addresses(""), None);
    }
}
