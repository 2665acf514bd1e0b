//! Why a child died: a class and a sentence, from its phase, its exit and its last lines.
//!
//! The patterns are llama.cpp's (b11434): tools/server, src/llama-model-loader.cpp, ggml/src.

use std::{io, path::Path, time::Duration};

use crate::{Exit, Failure, FailureClass, Phase, socket::AddressError, vigil::Suspicion};

#[cfg(test)]
mod tests;

/// Lines of a child that had been ready which may explain its death. A server says many things in a
/// long life; what lies further back has passed without harm.
const READY_LINES: usize = 60;

/// Characters of the child's own words that are quoted in a message.
const QUOTE_MAX: usize = 300;

/// What is known about a death.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evidence<'a> {
    pub(crate) program: &'a Path,
    pub(crate) phase: Phase,
    pub(crate) exit: Exit,
    /// The last lines of this generation, oldest first.
    pub(crate) lines: &'a [String],
}

const OUT_OF_MEMORY: &[&str] = &[
    "out of memory",
    "cudamalloc failed",
    "erroroutofdevicememory",
    "erroroutofhostmemory",
    "failed to allocate",
    "unable to allocate",
    "std::bad_alloc",
];
const MISSING_LIBRARY: &[&str] = &[
    "error while loading shared libraries",
    "library not loaded:",
];
const ADDRESS_IN_USE: &[&str] = &["couldn't bind http server socket", "address already in use"];
const BAD_FLAG: &[&str] = &[
    "error: invalid argument",
    "error while handling argument",
    "error: unknown argument",
    "unknown option",
];
const ABORTED: &[&str] = &["ggml_assert", "ggml_abort"];
const BAD_FILE: &[&str] = &[
    "gguf_init_from",
    "failed to open",
    "failed to load model",
    "error loading model",
];
const NO_EXEC: &[&str] = &[crate::shim::MARK];

/// Judges a death.
///
/// The exit speaks before the output where it is unmistakable (1, 2), and memory before all other words,
/// for a failed allocation ends in "failed to load model" as well (3).
///
/// 1. SIGILL: the program is built for another processor.
/// 2. SIGKILL, SIGTERM, SIGINT, SIGHUP, SIGQUIT: somebody else ended it.
/// 3. Words of memory.
/// 4. While starting: the loader, the shim, the socket, the flags, in this order.
/// 5. SIGABRT, or words of a failed assertion.
/// 6. While starting: words of a bad file.
/// 7. Any other signal, exit code 0, or an exit after readiness: a crash.
/// 8. Unknown.
pub(crate) fn classify(evidence: &Evidence<'_>) -> (FailureClass, String) {
    let class = class(evidence);
    (class, message(evidence, class))
}

/// Words the failure of a child that was silent for too long.
pub(crate) fn silent(program: &Path, timeout: Duration, lines: &[String]) -> String {
    let last = quote(lines.iter().rev().find(|line| !line.trim().is_empty()));
    format!(
        "{} gave no sign of progress for {timeout:?} while starting and was killed{last}; if the model is large or the \
         disk slow, raise the startup timeout",
        name(program)
    )
}

/// Words the failure of a child that served and then answered no more.
pub(crate) fn hung(program: &Path, why: Suspicion) -> String {
    format!(
        "{} no longer answered and was killed: {why}; see its last lines and, on a GPU, the driver's log",
        name(program)
    )
}

/// Types the lack of an address.
pub(crate) fn unplaced(error: &AddressError) -> Failure {
    let class = match error {
        AddressError::TooLong(_) => FailureClass::BadFlag,
        AddressError::NoPort(_) => FailureClass::AddressInUse,
    };
    never_ran(class, error.to_string())
}

/// Types a failure to start the shim. What the shim cannot execute it reports itself.
pub(crate) fn unspawned(error: &io::Error) -> Failure {
    let class = match error.kind() {
        io::ErrorKind::NotFound => FailureClass::MissingBinary,
        io::ErrorKind::PermissionDenied => FailureClass::NotExecutable,
        io::ErrorKind::ArgumentListTooLong => FailureClass::BadFlag,
        io::ErrorKind::OutOfMemory => FailureClass::OutOfMemory,
        _ => FailureClass::Unknown,
    };
    never_ran(
        class,
        format!("cannot start the exec shim: {error}; check the installation and the limits"),
    )
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
    match evidence.exit.signal() {
        Some(4) => return FailureClass::IllegalInstruction, // 1.
        Some(1 | 2 | 3 | 9 | 15) => return FailureClass::Killed, // 2.
        _ => {}
    }
    if says(OUT_OF_MEMORY) {
        return FailureClass::OutOfMemory; // 3.
    }
    if starting && let Some(class) = refused(evidence) {
        return class; // 4.
    }
    if evidence.exit.signal() == Some(6) || says(ABORTED) {
        FailureClass::Aborted // 5.
    } else if starting && says(BAD_FILE) {
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
        _ if says(MISSING_LIBRARY) => Some(FailureClass::MissingLibrary),
        Exit::Code(127) => Some(FailureClass::MissingBinary),
        Exit::Code(126) => Some(FailureClass::NotExecutable),
        _ if says(ADDRESS_IN_USE) => Some(FailureClass::AddressInUse),
        _ if says(BAD_FLAG) => Some(FailureClass::BadFlag),
        Exit::Code(_) | Exit::Signal(_) => None,
    }
}

/// Finds the first line that contains one of the needles. Case is ignored.
fn find<'a>(evidence: &Evidence<'a>, needles: &[&str]) -> Option<&'a String> {
    let skip = match evidence.phase {
        Phase::Ready => evidence.lines.len().saturating_sub(READY_LINES),
        Phase::Spawn | Phase::Starting => 0,
    };
    evidence.lines[skip..].iter().find(|line| {
        let line = line.to_ascii_lowercase();
        needles.iter().any(|needle| line.contains(needle))
    })
}

/// Words a failure: what happened, the child's own words, what to do.
fn message(evidence: &Evidence<'_>, class: FailureClass) -> String {
    let unasked = class == FailureClass::Crashed && evidence.exit == Exit::Code(0);
    let event = if unasked {
        "exited by itself"
    } else {
        event(class)
    };
    let last = || {
        evidence
            .lines
            .iter()
            .rev()
            .find(|line| !line.trim().is_empty())
    };
    let quote = quote(find(evidence, marks(class)).or_else(last));
    let Evidence {
        program,
        phase,
        exit,
        ..
    } = evidence;
    format!(
        "{} {event} while {phase} ({exit}){quote}; {}",
        name(program),
        advice(class)
    )
}

/// Returns what marks the line that tells most about a class.
const fn marks(class: FailureClass) -> &'static [&'static str] {
    match class {
        FailureClass::BadFile => BAD_FILE,
        FailureClass::OutOfMemory => OUT_OF_MEMORY,
        FailureClass::BadFlag => BAD_FLAG,
        FailureClass::AddressInUse => ADDRESS_IN_USE,
        FailureClass::MissingBinary | FailureClass::NotExecutable => NO_EXEC,
        FailureClass::MissingLibrary => MISSING_LIBRARY,
        FailureClass::Aborted => ABORTED,
        FailureClass::IllegalInstruction
        | FailureClass::Killed
        | FailureClass::Crashed
        | FailureClass::StartupTimeout
        | FailureClass::Unresponsive
        | FailureClass::Unknown => &[],
    }
}

/// Returns what happened.
const fn event(class: FailureClass) -> &'static str {
    match class {
        FailureClass::BadFile => "could not load its model file",
        FailureClass::OutOfMemory => "ran out of memory",
        FailureClass::BadFlag => "refused its command line",
        FailureClass::AddressInUse => "could not bind its socket",
        FailureClass::IllegalInstruction => "used an instruction this processor lacks",
        FailureClass::MissingBinary => "was not found",
        FailureClass::NotExecutable => "cannot be executed",
        FailureClass::MissingLibrary => "lacks a shared library",
        FailureClass::Killed => "was ended from outside",
        FailureClass::Aborted => "aborted",
        FailureClass::Crashed => "crashed",
        FailureClass::Unresponsive => "no longer answered",
        FailureClass::StartupTimeout | FailureClass::Unknown => "failed",
    }
}

/// Returns what to do.
const fn advice(class: FailureClass) -> &'static str {
    match class {
        FailureClass::BadFile => {
            "check that the file exists, is complete and is of a kind this build supports"
        }
        FailureClass::OutOfMemory => {
            "use a smaller context or quantisation, fewer layers on the device, or unload something else"
        }
        FailureClass::BadFlag => "correct the arguments in the configuration",
        FailureClass::AddressInUse => "another address is tried next time",
        FailureClass::IllegalInstruction => "install a build for this processor",
        FailureClass::MissingBinary => "install it, or correct its path in the configuration",
        FailureClass::NotExecutable => {
            "check its permissions, its architecture and what its sandbox lets it run"
        }
        FailureClass::MissingLibrary => "install the library, or set LD_LIBRARY_PATH",
        FailureClass::Killed => {
            "for SIGKILL look for the kernel's out-of-memory killer in the system log"
        }
        FailureClass::Aborted => "this is likely a fault of the program: see its last lines",
        FailureClass::Crashed
        | FailureClass::StartupTimeout
        | FailureClass::Unresponsive
        | FailureClass::Unknown => "see its last lines",
    }
}

fn name(program: &Path) -> String {
    program
        .file_name()
        .unwrap_or(program.as_os_str())
        .to_string_lossy()
        .into_owned()
}

fn quote(line: Option<&String>) -> String {
    line.map_or_else(String::new, |line| {
        let short: String = line.trim().chars().take(QUOTE_MAX).collect();
        format!(": \"{short}\"")
    })
}
