//! What went wrong with a child.

use std::{fmt, os::unix::process::ExitStatusExt as _, process::ExitStatus};

/// Describes one failure of a child: its class, and words for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind of failure it is; decides whether a restart can help.
    pub class: FailureClass,
    /// How far the child had come.
    pub phase: Phase,
    /// How the child ended; `None` where it never ran, or was ended for its silence or its errors.
    pub exit: Option<Exit>,
    /// What happened, why, and what to do about it, in one line.
    pub message: String,
    /// The child's last words of this generation: at most 20 lines, oldest first.
    pub log_tail: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// Classifies failures by cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureClass {
    /// A model file is missing, truncated, corrupt or of an unknown kind. Not retried.
    BadFile,
    /// The device, the system or a control group had not enough memory: the child was told so, or the
    /// kernel killed it.
    OutOfMemory,
    /// No space, or no more of a quota, was left where something is written.
    DiskFull,
    /// The system, or a limit, allows no more open files.
    TooManyFiles,
    /// The system, or a limit, allows no more processes or threads.
    TooManyProcesses,
    /// The command line is not acceptable to the child or to the system. Not retried.
    BadFlag,
    /// The child could not bind its socket; the next generation gets another one.
    AddressInUse,
    /// The program uses instructions this processor lacks. Not retried.
    IllegalInstruction,
    /// The program does not exist. Not retried.
    MissingBinary,
    /// The program exists and may not or cannot be executed. Not retried.
    NotExecutable,
    /// A shared library of the program is missing. Not retried.
    MissingLibrary,
    /// Somebody else ended the child by a signal, and it was not the kernel for want of memory as far as
    /// can be told.
    Killed,
    /// The child gave up on a broken assumption of its own (SIGABRT).
    Aborted,
    /// An assertion of the program failed (`GGML_ASSERT`) while it was starting: with the same file and flags it
    /// fails again. Not retried.
    AssertionFailed,
    /// The child ended in any other way that is its own fault, or by itself without being asked.
    Crashed,
    /// The child was silent for longer than the startup timeout and was killed.
    StartupTimeout,
    /// The child ran, and no longer answered anything; it was killed.
    Unresponsive,
    /// The child answered inference requests with server errors only, also paddock's own; it was killed.
    InferenceFailed,
    /// The child exited while starting and its output says nothing this crate knows.
    Unknown,
}

impl FailureClass {
    /// Names the class in `snake_case`, for logs, metrics and error bodies.
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

    /// Tells whether the same command can succeed later without anybody changing anything.
    pub const fn retryable(self) -> bool {
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

/// Says how far a child had come when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Before there was a process.
    Spawn,
    /// Between the fork and readiness.
    Starting,
    /// After readiness.
    Ready,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Spawn => "spawning",
            Self::Starting => "starting",
            Self::Ready => "serving",
        })
    }
}

/// Says how a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exit {
    /// It exited with this code.
    Code(i32),
    /// This signal ended it.
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
    /// Returns the signal behind the exit, also where a wrapper script reports it as `128 + signal`
    /// (POSIX shell, "Exit Status for Commands").
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

/// Names the signals that end servers.
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
