//! SIGHUP. For `serve` it is a request to read the configuration again. For `wrap`, which has none to read, it says that the
//! terminal has been closed, and ends it as it would end the command; under nohup(1) it is ignored. A service manager means a
//! reload, which `wrap` answers.

use std::{fs, future, io};

use paddock_server::config::Mode;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Hangups as one of the two meanings takes them.
pub(crate) struct Hangups {
    /// Ask for a reload.
    pub(crate) reloads: Hangup,
    /// Ask for an end.
    pub(crate) ends: Hangup,
}

/// Hangups that count, or none.
pub(crate) struct Hangup(Option<Signal>);

impl Hangups {
    /// Listens for hangups, unless they are to be ignored.
    ///
    /// # Errors
    /// The system denies it.
    pub(crate) fn listen(mode: Mode, is_managed: bool) -> io::Result<Self> {
        let wraps = mode != Mode::Serve && !is_managed;
        // A handler would replace what nohup has set, for the child as well.
        let heard = !(wraps && are_ignored());
        let hangup = || heard.then(|| signal(SignalKind::hangup())).transpose();
        let (reloads, ends) = match wraps {
            true => (None, hangup()?),
            false => (hangup()?, None),
        };
        Ok(Self {
            reloads: Hangup(reloads),
            ends: Hangup(ends),
        })
    }
}

impl Hangup {
    /// Waits for the next one.
    pub(crate) async fn recv(&mut self) {
        match &mut self.0 {
            Some(signal) => {
                signal.recv().await;
            }
            None => future::pending().await,
        }
    }
}

/// Tells whether this process was started with SIGHUP ignored. Systems other than Linux do not say so.
fn are_ignored() -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores_hangup(&status))
}

/// Reads the mask of ignored signals; bit 0 is SIGHUP, signal 1 (`SigIgn` in `proc_pid_status(5)`).
fn ignores_hangup(status: &str) -> bool {
    let mut lines = status.lines();
    let mask = lines.find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_ignored_signals_is_read() {
        let status = |mask: &str| format!("Name:\tx\nSigBlk:\t0000000000000001\nSigIgn:\t{mask}\n");
        assert!(ignores_hangup(&status("0000000000001001")));
        assert!(!ignores_hangup(&status("0000000000001000")));
        assert!(!ignores_hangup(&status("?")));
        assert!(!ignores_hangup(""));
    }
}
