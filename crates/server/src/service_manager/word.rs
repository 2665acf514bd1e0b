use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// One thing that a service manager is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    /// Clients can connect; or a reload is done.
    Ready,
    /// The configuration is being read again.
    Reloading,
    /// The end has begun, and comes within this time.
    Stopping(Duration),
    /// One line for people.
    Status(String),
    /// paddock does not hang.
    Alive,
}

impl Word {
    /// Writes it as `sd_notify(3)` has it.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Ready => "READY=1\n".to_owned(),
            // It says which signal to reload this answers.
            Self::Reloading => {
                let monotonic = clock_gettime(ClockId::Monotonic);
                let micros = monotonic.tv_sec * 1_000_000 + monotonic.tv_nsec / 1_000;
                format!("RELOADING=1\nMONOTONIC_USEC={micros}\n")
            }
            // Where that is more than the manager's own limit it takes the place of it.
            Self::Stopping(within) => format!(
                "STOPPING=1\nSTATUS=stopping\nEXTEND_TIMEOUT_USEC={}\n",
                within.as_micros()
            ),
            Self::Status(line) => format!("STATUS={line}\n"),
            Self::Alive => "WATCHDOG=1\n".to_owned(),
        }
    }
}
