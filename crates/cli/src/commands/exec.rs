//! `paddock __exec`: the hidden command (shim) that starts children, the llama-server processes.
//!
//! paddock starts this command instead of llama-server. The command confines itself to the child's sandbox and then
//! becomes llama-server by exec, because between fork and exec only `unsafe` code could do that.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::ExitCode;

use paddock_supervisor::{Shim, shim};

use crate::output;

/// Name of the command.
pub(crate) const COMMAND_NAME: &str = "__exec";

/// The running program's file, even after it has been replaced on disk.
const OWN_EXECUTABLE: &str = "/proc/self/exe";

/// Becomes the child by exec, or runs as the watcher: waits until paddock has ended and kills what its children left.
pub(crate) fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let Err(error) = shim::run(args) else {
        return ExitCode::SUCCESS;
    };
    output::print_error(&error.to_string());
    error.exit_code().into()
}

/// Returns the program and first arguments of the command line that starts a child.
///
/// # Errors
///
/// The path of this program is unknown.
pub(crate) fn build_shim() -> io::Result<Shim> {
    let own = Path::new(OWN_EXECUTABLE);
    let named = env::current_exe();
    let program = match &named {
        Ok(named) if is_different_file(own, named) => named.clone(),
        _ if own.exists() => own.to_owned(),
        _ => named?,
    };
    let args = vec![COMMAND_NAME.into()];
    Ok(Shim { program, args })
}

/// Returns whether both files exist and differ. Then this program runs inside an emulator or valgrind, which emulates
/// the program's name but not `/proc/self/exe`.
fn is_different_file(own: &Path, named: &Path) -> bool {
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
        assert!(!is_different_file(Path::new(OWN_EXECUTABLE), &this));
        assert!(!is_different_file(
            Path::new(OWN_EXECUTABLE),
            Path::new("/replaced (deleted)")
        ));
        assert!(is_different_file(
            Path::new(OWN_EXECUTABLE),
            Path::new("/proc/self/maps")
        ));
    }
}
