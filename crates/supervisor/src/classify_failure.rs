//! Classifies a child's failure (out of memory, bad flag, crash, …) and describes it in one sentence. The evidence is
//! the child's phase (starting or ready), its exit, and its last lines of output.

mod message;
mod patterns;

use std::{io, path::Path, time::Duration};

use rustix::io::Errno;

use crate::{
    ChildPhase, Exit, Failure, FailureClass, liveness::HangEvidence, oom::KillSource,
    socket::AddressError,
};
use message::{last_line, program_name, quote, write_message};

#[cfg(test)]
mod tests;

/// The number of last lines that may explain the failure of a child that had been ready. A child
/// that continued to serve after an earlier error did not end because of that error.
const MAX_READY_EVIDENCE_LINES: usize = 60;

/// The facts about a failure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FailureEvidence<'a> {
    pub(crate) program: &'a Path,
    pub(crate) phase: ChildPhase,
    pub(crate) exit: Exit,
    /// The sender of SIGKILL, if that signal ended the child.
    pub(crate) kill_source: KillSource,
    /// The last lines of output of this child, oldest first.
    pub(crate) lines: &'a [String],
}

impl<'a> FailureEvidence<'a> {
    /// Returns the lines that may explain the failure.
    fn relevant(&self) -> impl Iterator<Item = &'a String> + use<'a> {
        let skip = match self.phase {
            ChildPhase::Ready => self.lines.len().saturating_sub(MAX_READY_EVIDENCE_LINES),
            ChildPhase::Spawn | ChildPhase::Starting => 0,
        };
        self.lines.iter().skip(skip)
    }
}

/// Classifies a failure.
///
/// An unmistakable exit comes before the output (1, 2). Exhausted resources come before all other messages,
/// because a failed allocation, or a file that cannot be opened for lack of descriptors, ends in "failed to
/// load model" as well (3).
///
/// 1. SIGILL: the program is built for another processor.
/// 2. SIGKILL by the kernel's out-of-memory killer; otherwise SIGKILL, SIGTERM, SIGINT, SIGHUP or SIGQUIT:
///    killed from outside.
/// 3. Messages about memory, disks, open files, processes, in this order.
/// 4. While starting: the loader, the shim, the socket, the flags, in this order.
/// 5. While starting: messages about a failed assertion. In any phase: SIGABRT, or messages of an abort.
/// 6. While starting: messages about a bad file.
/// 7. Any other signal, exit code 0, or an exit after readiness: a crash.
/// 8. Unknown.
pub(crate) fn classify(evidence: &FailureEvidence<'_>) -> (FailureClass, String) {
    let class = find_class(evidence);
    (class, write_message(evidence, class))
}

/// Describes the failure of a child that was silent for too long.
pub(crate) fn describe_startup_timeout(
    program: &Path,
    timeout: Duration,
    lines: &[String],
) -> String {
    let last = quote(last_line(lines));
    format!(
        "{} made no progress for {timeout:?} while starting and was killed{last}; if the model is large or the \
         disk slow, increase startup_timeout",
        program_name(program)
    )
}

/// Classifies and describes the failure of a child that was killed because it hung or failed every request.
pub(crate) fn describe_hang(program: &Path, why: HangEvidence) -> (FailureClass, String) {
    let (class, event) = match why {
        HangEvidence::ServerErrors { .. } => (FailureClass::InferenceFailed, "stopped working"),
        HangEvidence::ProbesMissed { .. }
        | HangEvidence::RequestTimedOut
        | HangEvidence::RequestsTimedOut => (FailureClass::Unresponsive, "stopped responding"),
    };
    let message = format!(
        "{} {event} and was killed: {why}; see its last lines of output and, if it used a GPU, the driver's log",
        program_name(program)
    );
    (class, message)
}

/// Builds the failure of a child for which no address could be chosen.
pub(crate) fn address_failure(error: &AddressError) -> Failure {
    let class = match error {
        AddressError::TooLong(_) => FailureClass::BadFlag,
        AddressError::NoPort(error) | AddressError::Directory { source: error, .. } => {
            FailureClass::from_io_error(error).unwrap_or(FailureClass::AddressInUse)
        }
    };
    failure_before_spawn(class, error.to_string())
}

/// Builds the failure of a child whose shim could not be started. The shim itself reports a program that it
/// cannot execute.
pub(crate) fn spawn_failure(error: &io::Error) -> Failure {
    let used_up = FailureClass::from_io_error(error);
    let class = used_up.unwrap_or(match error.kind() {
        io::ErrorKind::NotFound => FailureClass::MissingBinary,
        io::ErrorKind::PermissionDenied => FailureClass::NotExecutable,
        io::ErrorKind::ArgumentListTooLong => FailureClass::BadFlag,
        _ => FailureClass::Unknown,
    });
    let advice = match used_up {
        Some(class) => class.advice(),
        None => "check the installation and the resource limits",
    };
    failure_before_spawn(
        class,
        format!("cannot start the exec shim: {error}; {advice}"),
    )
}

impl FailureClass {
    /// Returns the class of an error that reports an exhausted resource (fork(2), pipe(2), mkdir(2)).
    pub fn from_io_error(error: &io::Error) -> Option<Self> {
        match Errno::from_io_error(error)? {
            Errno::NOMEM => Some(Self::OutOfMemory),
            Errno::NOSPC | Errno::DQUOT => Some(Self::DiskFull),
            Errno::MFILE | Errno::NFILE => Some(Self::TooManyFiles),
            Errno::AGAIN => Some(Self::TooManyProcesses),
            _ => None,
        }
    }
}

fn failure_before_spawn(class: FailureClass, message: String) -> Failure {
    Failure {
        class,
        phase: ChildPhase::Spawn,
        exit: None,
        message,
        log_tail: Vec::new(),
    }
}

fn find_class(evidence: &FailureEvidence<'_>) -> FailureClass {
    let starting = evidence.phase != ChildPhase::Ready;
    let says = |needles| find(evidence, needles).is_some();
    match (evidence.exit.signal(), evidence.kill_source) {
        (Some(4), _) => return FailureClass::IllegalInstruction, // 1.
        (Some(9), KillSource::Kernel(_)) => return FailureClass::OutOfMemory, // 2.
        (Some(1 | 2 | 3 | 9 | 15), _) => return FailureClass::Killed,
        _ => {}
    }
    let used_up = [
        (patterns::OUT_OF_MEMORY, FailureClass::OutOfMemory),
        (patterns::DISK_FULL, FailureClass::DiskFull),
        (patterns::TOO_MANY_FILES, FailureClass::TooManyFiles),
        (patterns::TOO_MANY_PROCESSES, FailureClass::TooManyProcesses),
    ];
    if let Some((_, class)) = used_up.into_iter().find(|(words, _)| says(words)) {
        return class; // 3.
    }
    if starting && let Some(class) = find_refusal(evidence) {
        return class; // 4.
    }
    if starting && says(patterns::ASSERTION) {
        FailureClass::AssertionFailed // 5.
    } else if evidence.exit.signal() == Some(6) || says(patterns::ABORTED) {
        FailureClass::Aborted // 5.
    } else if starting && says(patterns::BAD_FILE) {
        FailureClass::BadFile // 6.
    } else if !starting || evidence.exit.signal().is_some() || evidence.exit == Exit::Code(0) {
        FailureClass::Crashed // 7.
    } else {
        FailureClass::Unknown // 8.
    }
}

/// Classifies a child that did not begin to load. Codes 127 and 126 come from the shim, and by POSIX from any
/// wrapper shell, for a program that is missing or cannot be executed.
fn find_refusal(evidence: &FailureEvidence<'_>) -> Option<FailureClass> {
    let says = |needles| find(evidence, needles).is_some();
    match evidence.exit {
        _ if says(patterns::MISSING_LIBRARY) => Some(FailureClass::MissingLibrary),
        Exit::Code(127) => Some(FailureClass::MissingBinary),
        Exit::Code(126) => Some(FailureClass::NotExecutable),
        _ if says(patterns::ADDRESS_IN_USE) => Some(FailureClass::AddressInUse),
        _ if says(patterns::BAD_FLAG) => Some(FailureClass::BadFlag),
        Exit::Code(_) | Exit::Signal(_) => None,
    }
}

/// Finds the first line that contains one of the needles, ignoring case.
fn find<'a>(evidence: &FailureEvidence<'a>, needles: &[&str]) -> Option<&'a String> {
    evidence.relevant().find(|line| {
        let line = line.to_ascii_lowercase();
        needles.iter().any(|needle| line.contains(needle))
    })
}
