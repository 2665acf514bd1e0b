//! Implements the exec shim, the program that a child runs first, before its real program.
//!
//! Between fork and exec only `unsafe` code can run in the child. Therefore the child first executes this
//! shim, which ties its life to its parent, confines itself to the child's sandbox, and then becomes the real
//! program by exec, with the same process id.

mod arguments;
pub(crate) mod cleanup;
mod error;
#[cfg(target_os = "linux")]
mod landlock;
mod resource_limits;
#[cfg(target_os = "linux")]
mod syscall_filter;
#[cfg(target_os = "linux")]
mod system_grants;

use std::{ffi::OsString, os::unix::process::CommandExt as _, path::PathBuf, process::Command};

pub(crate) use arguments::RULES_END;
use arguments::ShimArguments;
pub(crate) use error::MESSAGE_PREFIX;
pub use error::ShimError;

use crate::Sandbox;

/// The program that calls [`exec`], and the arguments that make it do so.
///
/// A child is spawned as `program args… PARENT_PID rules… -- child_program child_args…`, and the process that
/// cleans up after a killed parent as `program args… watch`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shim {
    /// The shim's program, for instance `/usr/bin/paddock`.
    pub program: PathBuf,
    /// The first arguments, for instance `__exec`.
    pub args: Vec<OsString>,
}

/// Runs the shim: becomes a child's program (see [`exec`]), or, for `watch`, waits for the end of stdin and
/// kills what is left of the run that is named there. Returns `Ok` only after `watch`: a successful exec never
/// returns.
///
/// # Errors
///
/// The program cannot be executed. The caller prints the error and exits with its code.
pub fn run(args: impl Iterator<Item = OsString>) -> Result<(), ShimError> {
    let mut args = args.peekable();
    if args
        .next_if(|word| word == cleanup::CLEANUP_ARGUMENT)
        .is_some()
    {
        cleanup::kill_leftovers_at_end();
        return Ok(());
    }
    Err(exec(args))
}

/// Becomes the program named in `args`: `PARENT_PID [RULES…] -- PROGRAM ARGS…`, under these rules.
///
/// On Linux the kernel then kills this process (SIGKILL) as soon as the thread that forked it ends. A program
/// that is set-uid, set-gid or has file capabilities loses this tie (prctl(2), `PR_SET_PDEATHSIG`). Other
/// systems have no such tie, and a child notices its parent's death only by the end of its stdin.
///
/// Returns only on failure.
#[must_use = "the program prints the error and exits with its code"]
pub fn exec(args: impl Iterator<Item = OsString>) -> ShimError {
    let Some(arguments) = ShimArguments::read(args) else {
        return ShimError::Usage;
    };
    // The order matters: the kernel notices a parent that dies after the tie, and the check one that died
    // before.
    if let Err(error) = kernel::set_parent_death_signal() {
        return ShimError::Tie(error);
    }
    if rustix::process::getppid() != Some(arguments.parent) {
        return ShimError::ParentGone;
    }
    if let Some(sandbox) = &arguments.sandbox
        && let Err(error) = confine(sandbox)
    {
        return error;
    }
    let source = Command::new(&arguments.program).args(arguments.args).exec();
    let confined = arguments
        .sandbox
        .is_some_and(|sandbox| sandbox.files.is_some());
    ShimError::from_exec_error(arguments.program.into(), source, confined)
}

/// Confines this process to a sandbox, irrevocably.
fn confine(sandbox: &Sandbox) -> Result<(), ShimError> {
    let failed = |part| move |source| ShimError::Sandbox { part, source };
    resource_limits::apply().map_err(|error| failed("limits")(error.into()))?;
    kernel::forbid_new_privileges().map_err(|error| failed("no-new-privileges")(error.into()))?;
    let landlocked = kernel::restrict(sandbox).map_err(failed("Landlock"))?;
    // Last, because the steps before may need calls that the filter denies.
    kernel::install_filter(sandbox, landlocked).map_err(failed("the system call filter"))
}

#[cfg(not(target_os = "linux"))]
use fallback as kernel;
pub(crate) use kernel::{has_filters, landlock_level};
#[cfg(target_os = "linux")]
use linux as kernel;

#[cfg(target_os = "linux")]
mod linux {
    use std::{error::Error, io};

    use crate::Sandbox;

    pub(crate) use super::{
        landlock::level as landlock_level, syscall_filter::is_available as has_filters,
    };

    /// Asks the kernel for a SIGKILL when the thread that forked this process ends.
    pub(super) fn set_parent_death_signal() -> io::Result<()> {
        let signal = Some(rustix::process::Signal::KILL);
        rustix::process::set_parent_process_death_signal(signal).map_err(Into::into)
    }

    /// Prevents every program run from here on from gaining privileges.
    pub(super) fn forbid_new_privileges() -> io::Result<()> {
        rustix::thread::set_no_new_privs(true).map_err(Into::into)
    }

    pub(super) fn restrict(sandbox: &Sandbox) -> Result<bool, Box<dyn Error + Send + Sync>> {
        super::landlock::restrict(sandbox).map_err(Into::into)
    }

    pub(super) fn install_filter(
        sandbox: &Sandbox,
        landlocked: bool,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        super::syscall_filter::restrict(sandbox, landlocked).map_err(Into::into)
    }
}

#[cfg(any(test, not(target_os = "linux")))]
#[expect(clippy::unnecessary_wraps, reason = "the same signatures as on Linux")]
mod fallback {
    use std::{error::Error, io};

    use crate::Sandbox;

    /// Does nothing: this system has no parent-death signal. See [`super::exec`].
    pub(super) fn set_parent_death_signal() -> io::Result<()> {
        Ok(())
    }

    /// Does nothing, see [`crate::sandbox::SandboxSupport`].
    pub(super) fn forbid_new_privileges() -> io::Result<()> {
        Ok(())
    }

    /// Does nothing, but rejects a strict sandbox.
    pub(super) fn restrict(sandbox: &Sandbox) -> Result<bool, Box<dyn Error + Send + Sync>> {
        match sandbox.strict {
            true => Err("this system has none".into()),
            false => Ok(false),
        }
    }

    /// Does nothing, see [`crate::sandbox::SandboxSupport`].
    pub(super) fn install_filter(_: &Sandbox, _: bool) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(())
    }

    /// Returns 0: this system has no Landlock.
    pub(crate) const fn landlock_level() -> u8 {
        0
    }

    /// Returns false: this system has no filters.
    pub(crate) const fn has_filters() -> bool {
        false
    }
}

#[cfg(test)]
mod fallback_tests {
    use super::fallback::{
        forbid_new_privileges, has_filters, install_filter, landlock_level, restrict,
        set_parent_death_signal,
    };
    use crate::Sandbox;

    #[test]
    fn systems_without_a_sandbox_enforce_nothing_and_reject_a_strict_one() {
        let relaxed = Sandbox::default();
        assert!(set_parent_death_signal().is_ok() && forbid_new_privileges().is_ok());
        assert!(!restrict(&relaxed).unwrap());
        assert!(install_filter(&relaxed, false).is_ok());
        let strict = Sandbox {
            strict: true,
            ..relaxed
        };
        let error = restrict(&strict).unwrap_err().to_string();
        assert_eq!(error, "this system has none");
        assert_eq!((landlock_level(), has_filters()), (0, false));
    }
}
