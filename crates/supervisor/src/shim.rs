//! The exec shim: a child's first moments, in a process of its own.
//!
//! Between fork and exec only `unsafe` code can run in the child. So the child first executes this shim,
//! which ties its life to its parent and then becomes the real program by exec, with the same pid.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::Command,
};

/// Begins the words of each [`ShimError`], so they can be told from the child's own.
pub(crate) const MARK: &str = "paddock shim: ";

/// Names the program that calls [`exec`], and the arguments that make it do so.
///
/// A child is spawned as `program args… PARENT_PID -- child_program child_args…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shim {
    /// The shim's program, for instance `/usr/bin/paddock`.
    pub program: PathBuf,
    /// What comes first in its arguments, for instance `__exec`.
    pub args: Vec<OsString>,
}

/// Says why [`exec`] returned. The program prints it on stderr and exits with [`ShimError::exit_code`].
#[derive(Debug, thiserror::Error)]
pub enum ShimError {
    /// The arguments are not `PARENT_PID -- PROGRAM ARGS…`.
    #[error("{MARK}expected PARENT_PID -- PROGRAM [ARGS…]; the supervisor calls this, not people")]
    Usage,
    /// The parent ended before its child could be tied to it.
    #[error("{MARK}the parent process is gone already")]
    ParentGone,
    /// The child could not be tied to its parent.
    #[error("{MARK}cannot set the parent-death signal: {0}")]
    Tie(#[source] io::Error),
    /// The program does not exist.
    #[error("{MARK}cannot run {}: {source}", program.display())]
    NotFound {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The program exists and cannot be executed: no permission, another architecture, or its
    /// interpreter or dynamic loader is missing.
    #[error("{MARK}cannot execute {}: {source}{}", program.display(), interpreter(source))]
    NotExecutable {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl ShimError {
    /// Returns the code to exit with: 127 for a missing program and 126 for one that cannot be executed,
    /// as shells do (POSIX, "Exit Status for Commands"); 125 for the shim's own failures.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Usage | Self::ParentGone | Self::Tie(_) => 125,
            Self::NotExecutable { .. } => 126,
            Self::NotFound { .. } => 127,
        }
    }
}

/// Becomes the program named in `args`: `PARENT_PID -- PROGRAM ARGS…`.
///
/// On Linux the kernel then kills this process (SIGKILL) as soon as the thread that forked it ends. A
/// program that is set-uid, set-gid or has file capabilities loses this tie (prctl(2),
/// `PR_SET_PDEATHSIG`). Elsewhere there is no such tie, and a child notices its parent's death only by
/// the end of its stdin.
///
/// Returns only if it fails.
#[must_use = "the program prints the error and exits with its code"]
pub fn exec(args: impl Iterator<Item = OsString>) -> ShimError {
    let Some((parent, program, args)) = parse(args) else {
        return ShimError::Usage;
    };
    // In this order: a parent that dies after the tie is noticed by the kernel, before it by the check.
    if let Err(error) = parent::tie() {
        return ShimError::Tie(error);
    }
    if rustix::process::getppid() != Some(parent) {
        return ShimError::ParentGone;
    }
    let source = Command::new(&program).args(args).exec();
    failed(program.into(), source)
}

/// Reads the arguments; `None` where they are not what the spawner writes.
fn parse(
    mut args: impl Iterator<Item = OsString>,
) -> Option<(rustix::process::Pid, OsString, Vec<OsString>)> {
    let parent = args
        .next()?
        .to_str()?
        .parse()
        .ok()
        .and_then(rustix::process::Pid::from_raw)?;
    if args.next()? != *OsStr::new("--") {
        return None;
    }
    Some((parent, args.next()?, args.collect()))
}

/// Types the failure of exec.
fn failed(program: PathBuf, source: io::Error) -> ShimError {
    // The system says "not found" also of a missing interpreter or dynamic loader.
    if source.kind() == io::ErrorKind::NotFound && !is_path_to_file(&program) {
        ShimError::NotFound { program, source }
    } else {
        ShimError::NotExecutable { program, source }
    }
}

fn is_path_to_file(program: &Path) -> bool {
    program.components().count() > 1 && program.exists()
}

/// Explains a "not found" of a program that is there.
fn interpreter(source: &io::Error) -> &'static str {
    if source.kind() == io::ErrorKind::NotFound {
        " (the file exists: its interpreter or dynamic loader is missing)"
    } else {
        ""
    }
}

#[cfg(target_os = "linux")]
mod parent {
    /// Asks the kernel for a SIGKILL when the thread that forked this process ends.
    pub(super) fn tie() -> std::io::Result<()> {
        let signal = Some(rustix::process::Signal::KILL);
        rustix::process::set_parent_process_death_signal(signal).map_err(Into::into)
    }
}

#[cfg(not(target_os = "linux"))]
mod parent {
    /// Does nothing: this system has no parent-death signal. See [`super::exec`].
    #[expect(clippy::unnecessary_wraps, reason = "the same signature as on Linux")]
    pub(super) fn tie() -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(args: &[&str]) -> ShimError {
        exec(args.iter().map(OsString::from))
    }

    #[test]
    fn only_the_spawners_arguments_are_taken() {
        for args in [
            &[][..],
            &["x", "--", "true"],
            &["0", "--", "true"],
            &["1", "true"],
            &["1", "--"],
        ] {
            assert!(matches!(run(args), ShimError::Usage), "{args:?}");
        }
    }

    #[test]
    fn a_failed_exec_is_typed() {
        let error = |errno| io::Error::from_raw_os_error(errno);
        let missing = failed("/nonexistent".into(), error(2));
        assert_eq!(
            (
                missing.exit_code(),
                matches!(missing, ShimError::NotFound { .. })
            ),
            (127, true)
        );
        let interpreter = failed("/proc/self/stat".into(), error(2));
        assert_eq!(interpreter.exit_code(), 126);
        assert!(
            interpreter.to_string().contains("dynamic loader"),
            "{interpreter}"
        );
        let forbidden = failed("/proc/self/stat".into(), error(13));
        assert_eq!(forbidden.exit_code(), 126);
        assert!(
            forbidden
                .to_string()
                .starts_with("paddock shim: cannot execute /proc/self/stat")
        );
    }
}
