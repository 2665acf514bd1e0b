//! The words of a failure: what happened, why, what to do.

use std::path::Path;

use super::{Evidence, find, words};
use crate::{
    Exit, FailureClass,
    oom::{Killer, UsedUp},
};

/// Characters of the child's own words that are quoted in a message.
pub(super) const QUOTE_MAX: usize = 300;

const SIGKILL: i32 = 9;

/// Words a failure.
pub(super) fn message(evidence: &Evidence<'_>, class: FailureClass) -> String {
    let Evidence {
        program,
        phase,
        exit,
        ..
    } = evidence;
    let event = match (class, exit) {
        (FailureClass::Crashed, Exit::Code(0)) => "exited by itself",
        _ => event(class),
    };
    let (why, advice) = killed(evidence, class)
        .unwrap_or_else(|| (quote(telling(evidence, class)), class.advice().to_owned()));
    format!(
        "{} {event} while {phase} ({exit}){why}; {advice}",
        name(program)
    )
}

/// What is known of a SIGKILL, and what to do about it: the child has no words of it.
fn killed(evidence: &Evidence<'_>, class: FailureClass) -> Option<(String, String)> {
    if evidence.exit.signal() != Some(SIGKILL) {
        return None;
    }
    let (why, advice) = match (class, evidence.killer) {
        (FailureClass::OutOfMemory, Killer::Kernel(used_up)) => {
            let limit = match used_up {
                UsedUp::System => "give the machine more memory",
                UsedUp::Group { .. } => {
                    "raise the group's limit (MemoryMax= of a systemd unit, --memory of a container)"
                }
            };
            (
                format!(": the kernel killed it, for {used_up} ran out"),
                format!(
                    "use a smaller context or quantisation, load fewer models at a time (memory.budget), or {limit}"
                ),
            )
        }
        (_, Killer::Somebody) => (
            ": somebody sent it SIGKILL, and it was not the kernel for want of memory".to_owned(),
            "find out who did: an operator, a container's runtime, systemd-oomd or earlyoom"
                .to_owned(),
        ),
        _ => return None,
    };
    Some((why, advice))
}

/// Returns the line that tells most about a failure: one that marks its class, else the last one.
fn telling<'a>(evidence: &Evidence<'a>, class: FailureClass) -> Option<&'a String> {
    let says = |needles| find(evidence, needles);
    let marked = match class {
        FailureClass::BadFile => says(words::BAD_FILE),
        FailureClass::OutOfMemory => says(words::OUT_OF_MEMORY),
        FailureClass::DiskFull => says(words::DISK_FULL),
        FailureClass::TooManyFiles => says(words::TOO_MANY_FILES),
        FailureClass::TooManyProcesses => says(words::TOO_MANY_PROCESSES),
        FailureClass::BadFlag => says(words::BAD_FLAG),
        FailureClass::AddressInUse => says(words::ADDRESS_IN_USE),
        FailureClass::MissingBinary | FailureClass::NotExecutable => says(words::NO_EXEC),
        FailureClass::MissingLibrary => says(words::MISSING_LIBRARY),
        // A backtrace follows, which says nothing to most people.
        FailureClass::AssertionFailed => says(words::ASSERTION),
        FailureClass::Aborted => says(words::ABORTED)
            .or_else(|| says(words::DEVICE_ERROR))
            .or_else(|| evidence.relevant().find(|line| words::names_source(line)))
            .or_else(|| says(words::THROWN)),
        FailureClass::IllegalInstruction
        | FailureClass::Killed
        | FailureClass::Crashed
        | FailureClass::StartupTimeout
        | FailureClass::Unresponsive
        | FailureClass::InferenceFailed
        | FailureClass::Unknown => None,
    };
    marked.or_else(|| last(evidence.lines))
}

/// Returns what happened.
const fn event(class: FailureClass) -> &'static str {
    match class {
        FailureClass::BadFile => "could not load its model file",
        FailureClass::OutOfMemory => "ran out of memory",
        FailureClass::DiskFull => "found no space left to write to",
        FailureClass::TooManyFiles => "could open no more files",
        FailureClass::TooManyProcesses => "could start no more processes or threads",
        FailureClass::BadFlag => "refused its command line",
        FailureClass::AddressInUse => "could not bind its socket",
        FailureClass::IllegalInstruction => "used an instruction this processor lacks",
        FailureClass::MissingBinary => "was not found",
        FailureClass::NotExecutable => "cannot be executed",
        FailureClass::MissingLibrary => "lacks a shared library",
        FailureClass::Killed => "was ended from outside",
        FailureClass::Aborted => "aborted",
        FailureClass::AssertionFailed => "failed an assertion of its own",
        FailureClass::Crashed => "crashed",
        FailureClass::Unresponsive => "no longer answered",
        FailureClass::InferenceFailed => "answered inference requests with server errors only",
        FailureClass::StartupTimeout | FailureClass::Unknown => "failed",
    }
}

impl FailureClass {
    /// Returns what to do about it, for people.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::BadFile => {
                "check that the file exists, may be read, is complete and is of a kind this build supports"
            }
            Self::OutOfMemory => {
                "use a smaller context or quantisation, fewer layers on the device, or unload something else"
            }
            Self::DiskFull => {
                "free space where it writes (server.runtime_dir, the temporary directory, /dev/shm, its --log-file and \
             --slot-save-path), or let it write elsewhere"
            }
            Self::TooManyFiles => {
                "raise the limit of open files: `ulimit -n`, LimitNOFILE= of a systemd unit, or sysctl fs.file-max"
            }
            Self::TooManyProcesses => {
                "raise the limit of processes and threads: `ulimit -u`, TasksMax= of a systemd unit, or a container's \
             pids limit"
            }
            Self::BadFlag => "correct the arguments in the configuration",
            Self::AddressInUse => {
                "another address is tried next time; if that fails as well, look at the space and the permissions of \
             server.runtime_dir"
            }
            Self::IllegalInstruction => "install a build for this processor",
            Self::MissingBinary => "install it, or correct its path in the configuration",
            Self::NotExecutable => {
                "check its permissions, its architecture and what its sandbox lets it run"
            }
            Self::MissingLibrary => {
                "install the library in the version it wants, or set LD_LIBRARY_PATH"
            }
            Self::Killed => {
                "for SIGKILL look for the kernel's out-of-memory killer in the system log"
            }
            Self::AssertionFailed => {
                "it fails again with the same file and flags: check the file, or use another build of the engine"
            }
            Self::Aborted => "this is likely a fault of the program: see its last lines",
            Self::Crashed
            | Self::StartupTimeout
            | Self::Unresponsive
            | Self::InferenceFailed
            | Self::Unknown => "see its last lines",
        }
    }
}

pub(super) fn name(program: &Path) -> String {
    program
        .file_name()
        .unwrap_or(program.as_os_str())
        .to_string_lossy()
        .into_owned()
}

/// The last line that says anything.
pub(super) fn last(lines: &[String]) -> Option<&String> {
    lines.iter().rev().find(|line| !line.trim().is_empty())
}

pub(super) fn quote(line: Option<&String>) -> String {
    line.map_or_else(String::new, |line| {
        let short: String = line.trim().chars().take(QUOTE_MAX).collect();
        format!(": \"{short}\"")
    })
}
