//! Formats the messages of `sd_notify(3)`.

use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// A message to the service manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Notification {
    /// Clients can connect, or all reloads have ended.
    Ready,
    /// The configuration is being read again.
    Reloading,
    /// The service is stopping and ends within this time.
    Stopping(Duration),
    /// A status line for people.
    Status(String),
    /// The keep-alive of the manager's watchdog.
    Watchdog,
}

impl Notification {
    /// Formats the message for `sd_notify(3)`.
    pub(super) fn to_message(&self) -> String {
        match self {
            Self::Ready => "READY=1\n".to_owned(),
            // The time tells the manager which reload signal this message answers.
            Self::Reloading => {
                let monotonic = clock_gettime(ClockId::Monotonic);
                let micros = monotonic.tv_sec * 1_000_000 + monotonic.tv_nsec / 1_000;
                format!("RELOADING=1\nMONOTONIC_USEC={micros}\n")
            }
            // Extends the manager's own stop timeout if that is shorter.
            Self::Stopping(within) => format!(
                "STOPPING=1\nSTATUS=stopping\nEXTEND_TIMEOUT_USEC={}\n",
                within.as_micros()
            ),
            Self::Status(line) => format!("STATUS={line}\n"),
            Self::Watchdog => "WATCHDOG=1\n".to_owned(),
        }
    }
}
