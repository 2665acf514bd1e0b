//! The directory of a paddock that `paddock run` starts: its configuration, socket, state and output.

use std::env;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use super::serve_command::ADMIN_SOCKET;

const PREFIX: &str = "paddock-run-";

/// Longest path of a parent directory. The address of a unix socket has at most 107 bytes (unix(7)), or 103 on macOS.
const MAX_PARENT_BYTES: usize = 60;

/// Age from which a directory without a listening socket is a leftover: its paddock has had the time to listen.
const LEFTOVER_AGE: Duration = Duration::from_mins(1);

/// Creates a private directory, and deletes those of paddocks that were killed.
///
/// # Errors
///
/// The directory cannot be created.
pub(super) fn create() -> io::Result<TempDir> {
    let parent = choose_parent(env::temp_dir(), env::var_os("XDG_RUNTIME_DIR"));
    delete_leftovers(&parent, LEFTOVER_AGE);
    tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)
}

/// Returns the directory for temporary files, or a shorter one if the path of a socket below it would be too long.
fn choose_parent(temporary: PathBuf, runtime: Option<std::ffi::OsString>) -> PathBuf {
    let runtime = runtime.map(PathBuf::from).filter(|path| path.is_absolute());
    let candidates = [Some(temporary), runtime];
    let mut short = candidates
        .into_iter()
        .flatten()
        .filter(|path| path.as_os_str().as_bytes().len() <= MAX_PARENT_BYTES);
    short.next().unwrap_or_else(|| PathBuf::from("/tmp"))
}

/// Deletes this user's directories of this kind in which no paddock listens. Ignores errors: leftovers do no harm.
fn delete_leftovers(parent: &Path, min_age: Duration) {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    for entry in entries {
        let is_ours = entry.file_name().as_bytes().starts_with(PREFIX.as_bytes());
        if is_ours && is_leftover(&entry.path(), min_age) {
            let _ignored = fs::remove_dir_all(entry.path());
        }
    }
}

fn is_leftover(directory: &Path, min_age: Duration) -> bool {
    // The metadata of the entry itself: a link to a directory is none.
    let Ok(metadata) = fs::symlink_metadata(directory) else {
        return false;
    };
    let age = metadata
        .modified()
        .ok()
        .and_then(|time| time.elapsed().ok());
    metadata.is_dir()
        && metadata.uid() == rustix::process::getuid().as_raw()
        && age.is_some_and(|age| age >= min_age)
        && UnixStream::connect(directory.join(ADMIN_SOCKET)).is_err()
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn the_directory_for_temporary_files_is_used_if_its_path_is_short() {
        let long = format!("/{}", "a".repeat(MAX_PARENT_BYTES));
        for (temporary, runtime, expected) in [
            ("/tmp", Some("/run/user/1"), "/tmp"),
            (&*long, Some("/run/user/1"), "/run/user/1"),
            (&*long, Some("relative"), "/tmp"),
            (&*long, Some(&*long), "/tmp"),
            (&*long, None, "/tmp"),
        ] {
            let parent = choose_parent(temporary.into(), runtime.map(Into::into));
            assert_eq!(parent, Path::new(expected));
        }
    }

    #[test]
    fn only_directories_without_a_listener_are_leftovers() {
        let parent = tempfile::tempdir().unwrap();
        let path = |name: &str| parent.path().join(name);
        for name in ["paddock-run-dead", "paddock-run-live", "other"] {
            fs::create_dir(path(name)).unwrap();
        }
        std::os::unix::fs::symlink(path("other"), path("paddock-run-link")).unwrap();
        let socket = path("paddock-run-live").join(ADMIN_SOCKET);
        let _listener = UnixListener::bind(socket).unwrap();
        delete_leftovers(parent.path(), Duration::from_hours(1));
        assert!(path("paddock-run-dead").exists(), "it is too young");
        delete_leftovers(parent.path(), Duration::ZERO);
        let mut left: Vec<_> = fs::read_dir(parent.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, ["other", "paddock-run-link", "paddock-run-live"]);
    }
}
