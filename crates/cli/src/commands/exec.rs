//! The hidden `paddock __exec`: the shim through which children are started.

use std::env;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use paddock_supervisor::{Shim, shim};

use crate::output;

/// The command's name.
pub(crate) const NAME: &str = "__exec";

/// The running program's own file, even after another has taken its place on disk.
const SELF: &str = "/proc/self/exe";

/// Becomes the child; returns only if that fails.
pub(crate) fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let error = shim::exec(args);
    output::error(&error.to_string());
    error.exit_code().into()
}

/// Returns how a child is started through this program.
///
/// # Errors
///
/// The system does not say where this program is.
pub(crate) fn shim() -> io::Result<Shim> {
    let own = PathBuf::from(SELF);
    let program = if own.exists() {
        own
    } else {
        env::current_exe()?
    };
    let args = vec![NAME.into()];
    Ok(Shim { program, args })
}
