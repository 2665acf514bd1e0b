//! Defines the exit codes.

use std::process::ExitCode;

/// A command's outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The command succeeded.
    Done,
    /// The command failed.
    Failed,
    /// The command line is wrong.
    Usage,
    /// The configuration is wrong.
    Config,
    /// No paddock answers (`EX_UNAVAILABLE` of sysexits.h).
    Unavailable,
    /// The command was interrupted, as shells report SIGINT.
    Interrupted,
    /// The exit status of a `paddock wrap` command that has ended before it was ready.
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
