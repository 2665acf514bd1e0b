//! Describes a child's failure by class, phase, exit, and a message for people.

use std::{fmt, os::unix::process::ExitStatusExt as _, process::ExitStatus};

/// A failure of a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The kind of failure, which decides whether a restart can help.
    pub class: FailureClass,
    /// The child's progress when it failed.
    pub phase: ChildPhase,
    /// The child's exit; `None` if it never ran, or was killed because it was silent or failed its requests.
    pub exit: Option<Exit>,
    /// The event, its cause, and advice, in one line.
    pub message: String,
    /// The child's last lines of output in this generation: at most 20, oldest first.
    pub log_tail: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// The cause of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureClass {
    /// A model file is missing, truncated, corrupt or of an unknown kind. Not retried.
    BadFile,
    /// The device, the system or a control group ran out of memory: an allocation failed, or the kernel killed
    /// the child.
    OutOfMemory,
    /// No space or quota is left where a file is written.
    DiskFull,
    /// The system or a limit allows no more open files.
    TooManyFiles,
    /// The system or a limit allows no more processes or threads.
    TooManyProcesses,
    /// The child or the system rejects the command line. Not retried.
    BadFlag,
    /// The child could not bind its socket; the next generation gets another one.
    AddressInUse,
    /// The program uses instructions this processor lacks. Not retried.
    IllegalInstruction,
    /// The program does not exist. Not retried.
    MissingBinary,
    /// The program exists and cannot be executed. Not retried.
    NotExecutable,
    /// A shared library of the program is missing. Not retried.
    MissingLibrary,
    /// A signal from outside ended the child, and as far as is known it was not the kernel's out-of-memory
    /// killer.
    Killed,
    /// The child failed an internal assertion (SIGABRT).
    Aborted,
    /// An assertion of the program failed (`GGML_ASSERT`) while it was starting: with the same file and flags it
    /// fails again. Not retried.
    AssertionFailed,
    /// The child ended in any other way that is its own fault, or exited without being asked.
    Crashed,
    /// The child was silent for longer than the startup timeout and was killed.
    StartupTimeout,
    /// The child was running, answered nothing any more, and was killed.
    Unresponsive,
    /// The child answered every inference request, also paddock's own, with a server error, and was killed.
    InferenceFailed,
    /// The child exited while starting, and its output contains no known message.
    Unknown,
}

impl FailureClass {
    /// Returns the class in `snake_case`, for logs, metrics and error bodies.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadFile => "bad_file",
            Self::OutOfMemory => "out_of_memory",
            Self::DiskFull => "disk_full",
            Self::TooManyFiles => "too_many_files",
            Self::TooManyProcesses => "too_many_processes",
            Self::BadFlag => "bad_flag",
            Self::AddressInUse => "address_in_use",
            Self::IllegalInstruction => "illegal_instruction",
            Self::MissingBinary => "missing_binary",
            Self::NotExecutable => "not_executable",
            Self::MissingLibrary => "missing_library",
            Self::Killed => "killed",
            Self::Aborted => "aborted",
            Self::AssertionFailed => "assertion_failed",
            Self::Crashed => "crashed",
            Self::StartupTimeout => "startup_timeout",
            Self::Unresponsive => "unresponsive",
            Self::InferenceFailed => "inference_failed",
            Self::Unknown => "unknown",
        }
    }

    /// Returns true if the same command can succeed later without a change from outside.
    pub const fn is_retryable(self) -> bool {
        !matches!(
            self,
            Self::BadFile
                | Self::BadFlag
                | Self::IllegalInstruction
                | Self::MissingBinary
                | Self::NotExecutable
                | Self::MissingLibrary
                | Self::AssertionFailed
        )
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The progress of a child when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChildPhase {
    /// Before a process existed.
    Spawn,
    /// Between the fork and readiness.
    Starting,
    /// After readiness.
    Ready,
}

impl fmt::Display for ChildPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Spawn => "spawning",
            Self::Starting => "starting",
            Self::Ready => "serving",
        })
    }
}

/// The exit of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exit {
    /// Exited with this code.
    Code(i32),
    /// Ended by this signal.
    Signal(i32),
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, Some(signal)) => Self::Signal(signal),
            (None, None) => Self::Code(status.into_raw()),
        }
    }
}

impl Exit {
    /// Returns the signal that ended the process, also if a wrapper script reports it as `128 + signal` (POSIX
    /// shell, "Exit Status for Commands").
    pub fn signal(self) -> Option<i32> {
        match self {
            Self::Signal(signal) => Some(signal),
            Self::Code(code @ 129..=159) => Some(code - 128),
            Self::Code(_) => None,
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signal = match self {
            Self::Code(code) => return write!(f, "exit code {code}"),
            Self::Signal(signal) => *signal,
        };
        match signal_name(signal) {
            Some(name) => write!(f, "signal {signal} ({name})"),
            None => write!(f, "signal {signal}"),
        }
    }
}

/// Returns the names of the signals that end servers.
fn signal_name(signal: i32) -> Option<&'static str> {
    use rustix::process::Signal;
    Some(match Signal::from_named_raw(signal)? {
        Signal::HUP => "SIGHUP",
        Signal::INT => "SIGINT",
        Signal::QUIT => "SIGQUIT",
        Signal::ILL => "SIGILL",
        Signal::ABORT => "SIGABRT",
        Signal::BUS => "SIGBUS",
        Signal::FPE => "SIGFPE",
        Signal::KILL => "SIGKILL",
        Signal::SEGV => "SIGSEGV",
        Signal::PIPE => "SIGPIPE",
        Signal::TERM => "SIGTERM",
        _ => return None,
    })
}
