//! Applies the rules of a sandbox that the kernel enforces with a filter of system calls (seccomp(2)).
//!
//! The filter denies calls for which Landlock has no rule. A filter sees the number and the arguments of a
//! call, and no memory behind a pointer; a denied call fails with an error number, and the child continues. The
//! filter holds for the child and all its descendants, to their end.

mod denied_calls;

use std::{collections::BTreeMap, env, thread};

use seccompiler::{
    BackendError, BpfProgram, Error, SeccompAction, SeccompFilter, SeccompRule, TargetArch,
    apply_filter, sock_filter,
};

use crate::Sandbox;

/// The denied calls. A call without rules is denied whatever its arguments are; a call with rules is denied if
/// one of them matches.
type Denied = BTreeMap<i64, Vec<SeccompRule>>;

/// The reason for which a child's filter could not be installed.
#[derive(Debug, thiserror::Error)]
pub(super) enum FilterError {
    /// seccompiler has no back end for this processor.
    #[error("system calls cannot be filtered on {}", env::consts::ARCH)]
    Architecture,
    /// The rules cannot be compiled.
    #[error(transparent)]
    Compile(#[from] BackendError),
    /// The kernel refuses the filter.
    #[error(transparent)]
    Install(#[from] Error),
}

impl FilterError {
    /// Returns true if this system supports no filters at all, as [`is_available`] would report.
    fn is_of_this_system(&self) -> bool {
        match self {
            Self::Architecture => true,
            // seccomp(2): a kernel without filters knows neither the call nor the operation. An outer filter,
            // for instance a container's, refuses with EPERM.
            Self::Install(Error::Seccomp(error)) => matches!(
                error.raw_os_error(),
                Some(libc::ENOSYS | libc::EINVAL | libc::EPERM)
            ),
            Self::Compile(_) | Self::Install(_) => false,
        }
    }
}

/// Installs the child's filter irrevocably. On a system without filters, a sandbox that is not strict has none.
/// `landlocked` is true if this process is in a Landlock domain already.
pub(super) fn restrict(sandbox: &Sandbox, landlocked: bool) -> Result<(), FilterError> {
    match install(sandbox, landlocked) {
        Err(error) if error.is_of_this_system() && !sandbox.strict => Ok(()),
        result => result,
    }
}

/// Compiles and installs the filters of a sandbox.
fn install(sandbox: &Sandbox, landlocked: bool) -> Result<(), FilterError> {
    let own = std::process::id();
    let mut calls = x32_guard();
    calls.extend(compile(
        denied_calls::denied(sandbox, landlocked, own)?,
        libc::EPERM,
    )?);
    apply_filter(&calls)?;
    let sockets = denied_calls::denied_sockets(sandbox.network)?;
    if !sockets.is_empty() {
        // The error with which Landlock denies TCP.
        apply_filter(&compile(sockets, libc::EACCES)?)?;
    }
    Ok(())
}

/// Returns true if filters can be installed here. Installs one that denies nothing in a separate thread, with
/// which it ends.
pub(crate) fn is_available() -> bool {
    let probe = || compile(Denied::new(), libc::EPERM).is_ok_and(|all| apply_filter(&all).is_ok());
    thread::Builder::new()
        .spawn(probe)
        .is_ok_and(|probe| probe.join().unwrap_or(false))
}

fn compile(denied: Denied, errno: i32) -> Result<BpfProgram, FilterError> {
    let arch = TargetArch::try_from(env::consts::ARCH).map_err(|_| FilterError::Architecture)?;
    let denial = SeccompAction::Errno(errno.unsigned_abs());
    // Calls by another architecture's numbers (32-bit programs) kill the process: each filter of seccompiler
    // begins with that check.
    let filter = SeccompFilter::new(denied, SeccompAction::Allow, denial, arch)?;
    Ok(filter.try_into()?)
}

/// Returns the beginning of a filter that denies x32 calls. `x86_64` kernels with x32 number these calls from
/// here on, under the same architecture (`__X32_SYSCALL_BIT` in the kernel's
/// arch/x86/include/uapi/asm/unistd.h), so no rule for an `x86_64` number matches them.
fn x32_guard() -> Vec<sock_filter> {
    const X32: u32 = 0x4000_0000;
    const ENOSYS: u32 = libc::ENOSYS.unsigned_abs();
    if !cfg!(target_arch = "x86_64") {
        return Vec::new();
    }
    let step = |code: u32, jf: u8, k: u32| sock_filter {
        code: u16::try_from(code).unwrap_or_default(),
        jt: 0,
        jf,
        k,
    };
    vec![
        // The number is the first word of `struct seccomp_data`.
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 1, X32),
        step(
            libc::BPF_RET | libc::BPF_K,
            0,
            libc::SECCOMP_RET_ERRNO | ENOSYS,
        ),
    ]
}

#[cfg(test)]
mod tests;
