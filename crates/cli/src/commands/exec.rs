//! The hidden `paddock __exec`: the shim through which children are started.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::ExitCode;

use paddock_supervisor::{Shim, shim};

use crate::output;

/// The command's name.
pub(crate) const NAME: &str = "__exec";

/// The running program's own file, even after another has taken its place on disk.
const SELF: &str = "/proc/self/exe";

/// Becomes the child, or is the watcher until paddock has ended.
pub(crate) fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let Err(error) = shim::run(args) else {
        return ExitCode::SUCCESS;
    };
    output::error(&error.to_string());
    error.exit_code().into()
}

/// Returns how a child is started through this program.
///
/// # Errors
///
/// The system does not say where this program is.
pub(crate) fn shim() -> io::Result<Shim> {
    let own = Path::new(SELF);
    let named = env::current_exe();
    let program = match &named {
        Ok(named) if is_another(own, named) => named.clone(),
        _ if own.exists() => own.to_owned(),
        _ => named?,
    };
    let args = vec![NAME.into()];
    Ok(Shim { program, args })
}

/// Whether both files are there and are not the same: this program then runs inside another one,
/// an emulator or valgrind, which answers for the name of the program but not for its file.
fn is_another(own: &Path, named: &Path) -> bool {
    let file = |path: &Path| fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
    file(own)
        .zip(file(named))
        .is_some_and(|(own, named)| own != named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_gone_is_no_other_one() {
        let this = env::current_exe().unwrap();
        assert!(!is_another(Path::new(SELF), &this));
        assert!(!is_another(
            Path::new(SELF),
            Path::new("/replaced (deleted)")
        ));
        assert!(is_another(Path::new(SELF), Path::new("/proc/self/maps")));
    }
}
