//! Decides what SIGHUP means.
//!
//! For `paddock serve`, SIGHUP is a request to reload the configuration. `paddock wrap` has no configuration file: a
//! SIGHUP means that its terminal has been closed, and ends it, unless nohup(1) has made the process ignore the signal.
//! Under a service manager SIGHUP is always a request to reload; `wrap` then reports a reload that changed nothing.

use std::{fs, future, io};

use paddock_server::config::Mode;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The two meanings of SIGHUP; at most one of the two streams ever fires.
pub(crate) struct HangupSignals {
    /// Requests to reload.
    pub(crate) reloads: HangupSignal,
    /// Requests to end.
    pub(crate) ends: HangupSignal,
}

/// A stream of SIGHUP, or one that never fires.
pub(crate) struct HangupSignal(Option<Signal>);

impl HangupSignals {
    /// Listens for SIGHUP, unless the signal must stay ignored. `is_managed` tells that a service manager runs paddock.
    ///
    /// # Errors
    /// The handler cannot be installed.
    pub(crate) fn listen(mode: Mode, is_managed: bool) -> io::Result<Self> {
        let is_unmanaged_wrap = mode != Mode::Serve && !is_managed;
        // A handler would undo nohup's setting, for the child too.
        let listens = !(is_unmanaged_wrap && is_hangup_ignored());
        let hangup = || listens.then(|| signal(SignalKind::hangup())).transpose();
        let (reloads, ends) = match is_unmanaged_wrap {
            true => (None, hangup()?),
            false => (hangup()?, None),
        };
        Ok(Self {
            reloads: HangupSignal(reloads),
            ends: HangupSignal(ends),
        })
    }
}

impl HangupSignal {
    /// Waits for the next SIGHUP.
    pub(crate) async fn recv(&mut self) {
        match &mut self.0 {
            Some(signal) => {
                signal.recv().await;
            }
            None => future::pending().await,
        }
    }
}

/// Returns whether this process was started with SIGHUP ignored. Known on Linux only.
fn is_hangup_ignored() -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores_hangup(&status))
}

/// Checks bit 0 of the mask of ignored signals: SIGHUP, signal 1 (`SigIgn` in `proc_pid_status(5)`).
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
