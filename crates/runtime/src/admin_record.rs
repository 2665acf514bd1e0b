//! Records the admin addresses of running `paddock wrap` processes, so that other paddock commands find them.
//!
//! `paddock wrap` runs the user's own llama-server command line, and takes another port if the default one is in use.
//! The addresses are in a file in its runtime directory, which only this user can enter and which stays locked while
//! the process runs.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::runtime_dir;
use crate::stale_cleanup;
use paddock_config::Listen;
use paddock_telemetry::private_dir;

/// File in a runtime directory with one address a line.
const ADDRESSES_FILE: &str = "admin";

/// Writes the addresses into a runtime directory.
///
/// # Errors
/// The system denies it.
pub fn write(directory: &Path, addresses: &[Listen]) -> io::Result<()> {
    let lines = addresses.iter().map(|address| match address {
        Listen::Tcp(address) => format!("{address}\n"),
        Listen::Localhost(port) => format!("localhost:{port}\n"),
        Listen::Unix(path) => {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            format!("unix:{}\n", path.display())
        }
    });
    fs::write(directory.join(ADDRESSES_FILE), lines.collect::<String>())
}

/// Returns an admin address of each running `paddock wrap` of this user.
pub fn wrapped_admin_addresses() -> Vec<String> {
    let mut places = vec![runtime_dir::parent_dir(None), std::env::temp_dir()];
    places.dedup();
    places
        .iter()
        .flat_map(|parent| addresses_in(parent))
        .collect()
}

/// Returns an admin address for each of this user's runtime directories in `parent` that is in use.
fn addresses_in(parent: &Path) -> Vec<String> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let ours = entries.filter(|entry| stale_cleanup::is_own_runtime_dir(entry).unwrap_or(false));
    ours.filter_map(|entry| first_address(&entry.path()))
        .collect()
}

/// Returns the first address in a runtime directory if its paddock is running.
fn first_address(directory: &Path) -> Option<String> {
    let file: PathBuf = directory.join(ADDRESSES_FILE);
    private_dir::check_file(&file).ok()?;
    let text = fs::read_to_string(file).ok()?;
    let lock = File::open(directory).ok()?;
    match lock.try_lock_shared() {
        Err(TryLockError::WouldBlock) => text.lines().next().map(str::to_owned),
        Ok(()) | Err(TryLockError::Error(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime_dir::RuntimeDir;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn an_address_is_found_while_its_paddock_runs_in_a_directory_of_its_own() {
        let parent = tempfile::tempdir().unwrap();
        let made = RuntimeDir::create(parent.path(), None).unwrap();
        assert_eq!(addresses_in(parent.path()), [""; 0]);
        let addresses = ["127.0.0.1:4711", "unix:/run/a.sock"];
        write(made.path(), &addresses.map(|text| text.parse().unwrap())).unwrap();
        assert_eq!(addresses_in(parent.path()), ["127.0.0.1:4711"]);
        // Other users could have written into a directory of this mode.
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(made.path(), open).unwrap();
        assert_eq!(addresses_in(parent.path()), [""; 0]);
        // The directory of a killed paddock is not locked.
        let left = parent.path().join("paddock-left");
        fs::create_dir(&left).unwrap();
        fs::set_permissions(&left, fs::Permissions::from_mode(0o700)).unwrap();
        write(&left, &addresses.map(|text| text.parse().unwrap())).unwrap();
        assert_eq!(addresses_in(parent.path()), [""; 0]);
    }
}
