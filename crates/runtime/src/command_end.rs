//! Decides whether paddock exits with a wrapped command, the llama-server command line that `paddock wrap` runs.
//!
//! Without paddock, the user would see the command's output and exit status. So if the command ends before it has
//! served, paddock ends with the same status. A command that has served once is restarted instead.

use paddock_supervisor::{ChildPhase, Exit, Failure, FailureClass};

/// The end of a wrapped command that has never served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandEnd {
    /// The exit status, as a shell would show it.
    pub status: u8,
    /// The failure in one line.
    pub message: String,
    /// The last lines of the command's output.
    pub lines: Vec<String>,
}

/// Returns the exit status for paddock if the command ended by itself or would fail the same way each time; `None`
/// if a resource was exhausted or someone killed it, since a restart can help then.
pub(super) fn exit_status(failure: &Failure) -> Option<u8> {
    let exit = failure
        .exit
        .filter(|_| failure.phase != ChildPhase::Ready)?;
    let lacks = matches!(
        failure.class,
        FailureClass::OutOfMemory
            | FailureClass::DiskFull
            | FailureClass::TooManyFiles
            | FailureClass::TooManyProcesses
            | FailureClass::AddressInUse
    );
    let by_itself = exit.signal().is_none() && !lacks;
    let code = match exit {
        Exit::Code(code) => code,
        Exit::Signal(signal) => 128 + signal,
    };
    if by_itself || !failure.class.is_retryable() {
        u8::try_from(code).ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_ends_paddock_where_another_start_cannot_help() {
        use FailureClass as Class;
        let table = [
            (
                Class::BadFlag,
                ChildPhase::Starting,
                Some(Exit::Code(1)),
                Some(1),
            ),
            (
                Class::BadFile,
                ChildPhase::Starting,
                Some(Exit::Code(1)),
                Some(1),
            ),
            // `nice --no-such-flag`, `llama-server --version`.
            (
                Class::Unknown,
                ChildPhase::Starting,
                Some(Exit::Code(125)),
                Some(125),
            ),
            (
                Class::Crashed,
                ChildPhase::Starting,
                Some(Exit::Code(0)),
                Some(0),
            ),
            (
                Class::MissingBinary,
                ChildPhase::Starting,
                Some(Exit::Code(127)),
                Some(127),
            ),
            (
                Class::IllegalInstruction,
                ChildPhase::Starting,
                Some(Exit::Signal(4)),
                Some(132),
            ),
            (
                Class::OutOfMemory,
                ChildPhase::Starting,
                Some(Exit::Code(1)),
                None,
            ),
            (
                Class::AddressInUse,
                ChildPhase::Starting,
                Some(Exit::Code(1)),
                None,
            ),
            (
                Class::Killed,
                ChildPhase::Starting,
                Some(Exit::Signal(15)),
                None,
            ),
            (
                Class::Crashed,
                ChildPhase::Starting,
                Some(Exit::Code(139)),
                None,
            ),
            (Class::StartupTimeout, ChildPhase::Starting, None, None),
            (Class::Crashed, ChildPhase::Ready, Some(Exit::Code(1)), None),
        ];
        for (class, phase, exit, expected) in table {
            let failure = Failure {
                class,
                phase,
                exit,
                message: String::new(),
                log_tail: Vec::new(),
            };
            assert_eq!(exit_status(&failure), expected, "{failure:?}");
        }
    }
}
