//! Writes the message of a failure: the event, its cause, and advice.

use std::path::Path;

use super::{FailureEvidence, find, patterns};
use crate::{
    Exit, FailureClass,
    oom::{ExhaustedMemory, KillSource},
};

/// The maximum number of characters quoted from the child's output.
pub(super) const MAX_QUOTE_CHARS: usize = 300;

const SIGKILL: i32 = 9;

/// Writes the message of a failure.
pub(super) fn write_message(evidence: &FailureEvidence<'_>, class: FailureClass) -> String {
    let FailureEvidence {
        program,
        phase,
        exit,
        ..
    } = evidence;
    let event = match (class, exit) {
        (FailureClass::Crashed, Exit::Code(0)) => "exited unexpectedly",
        _ => describe_event(class),
    };
    let (why, advice) = describe_kill(evidence, class).unwrap_or_else(|| {
        (
            quote(find_telling_line(evidence, class)),
            class.advice().to_owned(),
        )
    });
    format!(
        "{} {event} while {phase} ({exit}){why}; {advice}",
        program_name(program)
    )
}

/// Describes a SIGKILL and the advice about it, since the child cannot log one.
fn describe_kill(evidence: &FailureEvidence<'_>, class: FailureClass) -> Option<(String, String)> {
    if evidence.exit.signal() != Some(SIGKILL) {
        return None;
    }
    let (why, advice) = match (class, evidence.kill_source) {
        (FailureClass::OutOfMemory, KillSource::Kernel(used_up)) => {
            let limit = match used_up {
                ExhaustedMemory::System => "add memory to the machine",
                ExhaustedMemory::Group { .. } => {
                    "raise the cgroup's limit (MemoryMax= in the systemd unit, or --memory for a container)"
                }
            };
            (
                format!(": the kernel killed it because {used_up} ran out"),
                format!(
                    "use a smaller context or quantisation, load fewer models at a time (memory.ram, or scheduler.max_loaded), or {limit}"
                ),
            )
        }
        (_, KillSource::Other) => (
            ": another process sent SIGKILL; it was not the kernel's out-of-memory killer"
                .to_owned(),
            "find out which process sent it, such as an operator's command, a container runtime, systemd-oomd \
             or earlyoom"
                .to_owned(),
        ),
        _ => return None,
    };
    Some((why, advice))
}

/// Returns the line that explains most about a failure: one that marks its class, or otherwise the last one.
fn find_telling_line<'a>(
    evidence: &FailureEvidence<'a>,
    class: FailureClass,
) -> Option<&'a String> {
    let says = |needles| find(evidence, needles);
    let marked = match class {
        FailureClass::BadFile => says(patterns::BAD_FILE),
        FailureClass::OutOfMemory => says(patterns::OUT_OF_MEMORY),
        FailureClass::DiskFull => says(patterns::DISK_FULL),
        FailureClass::TooManyFiles => says(patterns::TOO_MANY_FILES),
        FailureClass::TooManyProcesses => says(patterns::TOO_MANY_PROCESSES),
        FailureClass::BadFlag => says(patterns::BAD_FLAG),
        FailureClass::AddressInUse => says(patterns::ADDRESS_IN_USE),
        FailureClass::MissingBinary | FailureClass::NotExecutable => says(patterns::NO_EXEC),
        FailureClass::MissingLibrary => says(patterns::MISSING_LIBRARY),
        // The backtrace after it is of no use to most people.
        FailureClass::AssertionFailed => says(patterns::ASSERTION),
        FailureClass::Aborted => says(patterns::ABORTED)
            .or_else(|| says(patterns::DEVICE_ERROR))
            .or_else(|| {
                evidence
                    .relevant()
                    .find(|line| patterns::names_source(line))
            })
            .or_else(|| says(patterns::THROWN)),
        FailureClass::IllegalInstruction
        | FailureClass::Killed
        | FailureClass::Crashed
        | FailureClass::StartupTimeout
        | FailureClass::Unresponsive
        | FailureClass::InferenceFailed
        | FailureClass::Unknown => None,
    };
    marked.or_else(|| last_line(evidence.lines))
}

/// Returns the event, for the message.
const fn describe_event(class: FailureClass) -> &'static str {
    match class {
        FailureClass::BadFile => "could not load its model file",
        FailureClass::OutOfMemory => "ran out of memory",
        FailureClass::DiskFull => "ran out of disk space",
        FailureClass::TooManyFiles => "reached the limit on open files",
        FailureClass::TooManyProcesses => "reached the limit on processes and threads",
        FailureClass::BadFlag => "rejected its command line",
        FailureClass::AddressInUse => "could not bind its socket",
        FailureClass::IllegalInstruction => {
            "used an instruction that this processor does not support"
        }
        FailureClass::MissingBinary => "was not found",
        FailureClass::NotExecutable => "cannot be executed",
        FailureClass::MissingLibrary => "could not load a shared library",
        FailureClass::Killed => "was killed",
        FailureClass::Aborted => "aborted",
        FailureClass::AssertionFailed => "failed an internal assertion",
        FailureClass::Crashed => "crashed",
        FailureClass::Unresponsive => "stopped responding",
        FailureClass::InferenceFailed => "answered every inference request with a server error",
        FailureClass::StartupTimeout | FailureClass::Unknown => "failed",
    }
}

impl FailureClass {
    /// Returns the advice, for people.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::BadFile => {
                "check that the file exists, is readable and complete, and has a type that this build supports"
            }
            Self::OutOfMemory => {
                "use a smaller context or quantisation, put fewer layers on the device, or unload another model"
            }
            Self::DiskFull => {
                "free up space where it writes (server.runtime_dir, the temporary directory, /dev/shm, its \
                 --log-file and --slot-save-path), or change these paths"
            }
            Self::TooManyFiles => {
                "raise the limit on open files: `ulimit -n`, LimitNOFILE= in the systemd unit, or sysctl fs.file-max"
            }
            Self::TooManyProcesses => {
                "raise the limit on processes and threads: `ulimit -u`, TasksMax= in the systemd unit, or a \
                 container's pids limit"
            }
            Self::BadFlag => "correct the arguments in the configuration",
            Self::AddressInUse => {
                "the next start uses another address; if it also fails, check the free space and permissions of \
                 server.runtime_dir"
            }
            Self::IllegalInstruction => "install a build for this processor",
            Self::MissingBinary => "install it, or correct its path in the configuration",
            Self::NotExecutable => "check its permissions, its architecture and the sandbox",
            Self::MissingLibrary => {
                "install the required version of the library, or set LD_LIBRARY_PATH"
            }
            Self::Killed => {
                "for SIGKILL, check the system log for the kernel's out-of-memory killer"
            }
            Self::AssertionFailed => {
                "the same file and flags will fail again: check the file, or use another build of the engine"
            }
            Self::Aborted => "this is probably a bug in the program: see its last lines of output",
            Self::Crashed
            | Self::StartupTimeout
            | Self::Unresponsive
            | Self::InferenceFailed
            | Self::Unknown => "see its last lines of output",
        }
    }
}

pub(super) fn program_name(program: &Path) -> String {
    program
        .file_name()
        .unwrap_or(program.as_os_str())
        .to_string_lossy()
        .into_owned()
}

/// Returns the last line that is not blank.
pub(super) fn last_line(lines: &[String]) -> Option<&String> {
    lines.iter().rev().find(|line| !line.trim().is_empty())
}

pub(super) fn quote(line: Option<&String>) -> String {
    line.map_or_else(String::new, |line| {
        let short: String = line.trim().chars().take(MAX_QUOTE_CHARS).collect();
        format!(": \"{short}\"")
    })
}
