//! Why a child died: a class and a sentence, from its phase, its exit and its last lines.

mod message;
mod words;

use std::{io, path::Path, time::Duration};

use rustix::io::Errno;

use crate::{
    Exit, Failure, FailureClass, Phase, oom::Killer, socket::AddressError, vigil::Suspicion,
};
use message::{last, message, name, quote};

#[cfg(test)]
mod tests;

/// Lines of a child that had been ready which may explain its death. A server says many things in a
/// long life; what lies further back has passed without harm.
const READY_LINES: usize = 60;

/// What is known about a death.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evidence<'a> {
    pub(crate) program: &'a Path,
    pub(crate) phase: Phase,
    pub(crate) exit: Exit,
    /// Who sent SIGKILL, should that have ended it.
    pub(crate) killer: Killer,
    /// The last lines of this generation, oldest first.
    pub(crate) lines: &'a [String],
}

impl<'a> Evidence<'a> {
    /// Returns the lines that may explain the death.
    fn relevant(&self) -> impl Iterator<Item = &'a String> + use<'a> {
        let skip = match self.phase {
            Phase::Ready => self.lines.len().saturating_sub(READY_LINES),
            Phase::Spawn | Phase::Starting => 0,
        };
        self.lines.iter().skip(skip)
    }
}

/// Judges a death.
///
/// The exit speaks before the output where it is unmistakable (1, 2), and what was used up before all
/// other words, for a failed allocation, or a file that cannot be opened for want of descriptors, ends in
/// "failed to load model" as well (3).
///
/// 1. SIGILL: the program is built for another processor.
/// 2. SIGKILL of the kernel's for want of memory; else SIGKILL, SIGTERM, SIGINT, SIGHUP, SIGQUIT: somebody
///    else ended it.
/// 3. Words of memory, disks, open files, processes, in this order.
/// 4. While starting: the loader, the shim, the socket, the flags, in this order.
/// 5. While starting: words of a failed assertion; then SIGABRT, or such words.
/// 6. While starting: words of a bad file.
/// 7. Any other signal, exit code 0, or an exit after readiness: a crash.
/// 8. Unknown.
pub(crate) fn classify(evidence: &Evidence<'_>) -> (FailureClass, String) {
    let class = class(evidence);
    (class, message(evidence, class))
}

/// Words the failure of a child that was silent for too long.
pub(crate) fn silent(program: &Path, timeout: Duration, lines: &[String]) -> String {
    let last = quote(last(lines));
    format!(
        "{} gave no sign of progress for {timeout:?} while starting and was killed{last}; if the model is large or the \
         disk slow, raise the startup timeout",
        name(program)
    )
}

/// Classifies and words the failure of a child that was killed for what speaks against it.
pub(crate) fn hung(program: &Path, why: Suspicion) -> (FailureClass, String) {
    let (class, event) = match why {
        Suspicion::ServerErrors { .. } => (
            FailureClass::InferenceFailed,
            "could not do what it is for any more",
        ),
        Suspicion::Deaf { .. } | Suspicion::Overdue | Suspicion::OverdueAgain => {
            (FailureClass::Unresponsive, "no longer answered")
        }
    };
    let message = format!(
        "{} {event} and was killed: {why}; see its last lines and, on a GPU, the driver's log",
        name(program)
    );
    (class, message)
}

/// Types the lack of an address.
pub(crate) fn unplaced(error: &AddressError) -> Failure {
    let class = match error {
        AddressError::TooLong(_) => FailureClass::BadFlag,
        AddressError::NoPort(error) | AddressError::Directory { source: error, .. } => {
            FailureClass::used_up(error).unwrap_or(FailureClass::AddressInUse)
        }
    };
    never_ran(class, error.to_string())
}

/// Types a failure to start the shim. What the shim cannot execute it reports itself.
pub(crate) fn unspawned(error: &io::Error) -> Failure {
    let used_up = FailureClass::used_up(error);
    let class = used_up.unwrap_or(match error.kind() {
        io::ErrorKind::NotFound => FailureClass::MissingBinary,
        io::ErrorKind::PermissionDenied => FailureClass::NotExecutable,
        io::ErrorKind::ArgumentListTooLong => FailureClass::BadFlag,
        _ => FailureClass::Unknown,
    });
    let advice = match used_up {
        Some(class) => class.advice(),
        None => "check the installation and the limits",
    };
    never_ran(
        class,
        format!("cannot start the exec shim: {error}; {advice}"),
    )
}

impl FailureClass {
    /// Returns the class of an error that says that something is used up (fork(2), pipe(2), mkdir(2)).
    pub fn used_up(error: &io::Error) -> Option<Self> {
        match Errno::from_io_error(error)? {
            Errno::NOMEM => Some(Self::OutOfMemory),
            Errno::NOSPC | Errno::DQUOT => Some(Self::DiskFull),
            Errno::MFILE | Errno::NFILE => Some(Self::TooManyFiles),
            Errno::AGAIN => Some(Self::TooManyProcesses),
            _ => None,
        }
    }
}

fn never_ran(class: FailureClass, message: String) -> Failure {
    Failure {
        class,
        phase: Phase::Spawn,
        exit: None,
        message,
        log_tail: Vec::new(),
    }
}

fn class(evidence: &Evidence<'_>) -> FailureClass {
    let starting = evidence.phase != Phase::Ready;
    let says = |needles| find(evidence, needles).is_some();
    match (evidence.exit.signal(), evidence.killer) {
        (Some(4), _) => return FailureClass::IllegalInstruction, // 1.
        (Some(9), Killer::Kernel(_)) => return FailureClass::OutOfMemory, // 2.
        (Some(1 | 2 | 3 | 9 | 15), _) => return FailureClass::Killed,
        _ => {}
    }
    let used_up = [
        (words::OUT_OF_MEMORY, FailureClass::OutOfMemory),
        (words::DISK_FULL, FailureClass::DiskFull),
        (words::TOO_MANY_FILES, FailureClass::TooManyFiles),
        (words::TOO_MANY_PROCESSES, FailureClass::TooManyProcesses),
    ];
    if let Some((_, class)) = used_up.into_iter().find(|(words, _)| says(words)) {
        return class; // 3.
    }
    if starting && let Some(class) = refused(evidence) {
        return class; // 4.
    }
    if starting && says(words::ASSERTION) {
        FailureClass::AssertionFailed // 5.
    } else if evidence.exit.signal() == Some(6) || says(words::ABORTED) {
        FailureClass::Aborted // 5.
    } else if starting && says(words::BAD_FILE) {
        FailureClass::BadFile // 6.
    } else if !starting || evidence.exit.signal().is_some() || evidence.exit == Exit::Code(0) {
        FailureClass::Crashed // 7.
    } else {
        FailureClass::Unknown // 8.
    }
}

/// Judges a child that did not come to load anything. Codes 127 and 126 are the shim's, and by POSIX
/// any wrapper shell's, for a program that is missing or cannot be executed.
fn refused(evidence: &Evidence<'_>) -> Option<FailureClass> {
    let says = |needles| find(evidence, needles).is_some();
    match evidence.exit {
        _ if says(words::MISSING_LIBRARY) => Some(FailureClass::MissingLibrary),
        Exit::Code(127) => Some(FailureClass::MissingBinary),
        Exit::Code(126) => Some(FailureClass::NotExecutable),
        _ if says(words::ADDRESS_IN_USE) => Some(FailureClass::AddressInUse),
        _ if says(words::BAD_FLAG) => Some(FailureClass::BadFlag),
        Exit::Code(_) | Exit::Signal(_) => None,
    }
}

/// Finds the first line that contains one of the needles. Case is ignored.
fn find<'a>(evidence: &Evidence<'a>, needles: &[&str]) -> Option<&'a String> {
    evidence.relevant().find(|line| {
        let line = line.to_ascii_lowercase();
        needles.iter().any(|needle| line.contains(needle))
    })
}
