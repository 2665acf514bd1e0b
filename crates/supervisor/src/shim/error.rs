//! Defines the errors of the shim, which enters the sandbox and then executes the child's program.

use std::{
    io,
    path::{Path, PathBuf},
};

/// The prefix of each [`ShimError`], which distinguishes it from the child's own output.
pub(crate) const MESSAGE_PREFIX: &str = "paddock shim: ";

/// The reason for which [`exec`](super::exec) returned. The program prints it on stderr and exits with
/// [`ShimError::exit_code`].
#[derive(Debug, thiserror::Error)]
pub enum ShimError {
    /// The arguments were not written by the supervisor.
    #[error(
        "{MESSAGE_PREFIX}expected PARENT_PID [RULES…] -- PROGRAM [ARGS…]; this command is for internal use"
    )]
    Usage,
    /// The parent ended before its child could be tied to it.
    #[error("{MESSAGE_PREFIX}the parent process has already exited")]
    ParentGone,
    /// The child could not be tied to its parent.
    #[error("{MESSAGE_PREFIX}cannot set the parent-death signal: {0}")]
    Tie(#[source] io::Error),
    /// The child's sandbox cannot be made.
    #[error(
        "{MESSAGE_PREFIX}cannot create the child's sandbox: {part}: {source}; set engine.sandbox = \"off\" to run \
         without one"
    )]
    Sandbox {
        /// The part that failed.
        part: &'static str,
        /// The system's error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The program does not exist.
    #[error("{MESSAGE_PREFIX}cannot run {}: {source}", program.display())]
    NotFound {
        /// The program.
        program: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The program exists and cannot be executed: no permission, another architecture, its interpreter
    /// or dynamic loader is missing, or lies where the sandbox lets nothing run.
    #[error("{MESSAGE_PREFIX}cannot execute {}: {source}{hint}", program.display())]
    NotExecutable {
        /// The program.
        program: PathBuf,
        /// The system's error.
        source: io::Error,
        /// A possible explanation.
        hint: &'static str,
    },
}

impl ShimError {
    /// Returns the code to exit with: 127 for a missing program and 126 for one that cannot be executed,
    /// as shells do (POSIX, "Exit Status for Commands"); 125 for the shim's own failures.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Usage | Self::ParentGone | Self::Tie(_) | Self::Sandbox { .. } => 125,
            Self::NotExecutable { .. } => 126,
            Self::NotFound { .. } => 127,
        }
    }

    /// Classifies a failure of exec.
    pub(super) fn from_exec_error(
        program: PathBuf,
        source: io::Error,
        files_confined: bool,
    ) -> Self {
        let hint = match source.kind() {
            // The system reports "not found" also for a missing interpreter or dynamic loader.
            io::ErrorKind::NotFound if is_path_to_file(&program) => {
                " (the file exists: its interpreter or dynamic loader is missing)"
            }
            io::ErrorKind::NotFound => return Self::NotFound { program, source },
            io::ErrorKind::PermissionDenied if files_confined => {
                " (its interpreter or dynamic loader may be in a place where the sandbox forbids execution)"
            }
            _ => "",
        };
        Self::NotExecutable {
            program,
            source,
            hint,
        }
    }
}

fn is_path_to_file(program: &Path) -> bool {
    program.components().count() > 1 && program.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_exec_is_typed() {
        let error = |errno| io::Error::from_raw_os_error(errno);
        let missing = ShimError::from_exec_error("/proc/nonexistent".into(), error(2), true);
        assert!(matches!(missing, ShimError::NotFound { .. }), "{missing}");
        assert_eq!(missing.exit_code(), 127);
        let interpreter = ShimError::from_exec_error("/proc/self/stat".into(), error(2), true);
        assert_eq!(interpreter.exit_code(), 126);
        assert!(
            interpreter.to_string().contains("is missing"),
            "{interpreter}"
        );
        for (confined, says) in [(false, false), (true, true)] {
            let forbidden =
                ShimError::from_exec_error("/proc/self/stat".into(), error(13), confined);
            assert_eq!(forbidden.exit_code(), 126);
            let words = forbidden.to_string();
            assert!(words.starts_with("paddock shim: cannot execute /proc/self/stat"));
            assert_eq!(words.contains("sandbox"), says, "{words}");
        }
    }
}
