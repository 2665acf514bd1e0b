//! Exit codes.

use std::process::ExitCode;

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what it was asked to.
    Done,
    /// It failed.
    Failed,
    /// It was called wrongly.
    Usage,
    /// The configuration is wrong.
    Config,
    /// No paddock answers where it was looked for (`EX_UNAVAILABLE` of sysexits.h).
    Unavailable,
    /// It was interrupted: what a shell says of SIGINT.
    Interrupted,
    /// A wrapped command has ended with this status before it served.
    Command(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Config => 64,
            Exit::Unavailable => 69,
            Exit::Interrupted => 130,
            Exit::Command(status) => status,
        })
    }
}
