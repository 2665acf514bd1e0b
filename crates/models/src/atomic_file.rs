//! Writes small files and links so that readers see the old or the new one, never a part.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

/// Writes a file under a temporary name in `directory`, then renames it to `target` in the same file system.
pub(crate) fn write(directory: &Path, target: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = temporary_name(directory);
    let written = File::create_new(&temporary).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&temporary, target)
    });
    remove_on_error(&temporary, written)
}

/// Creates a symbolic link under a temporary name in `directory`, then renames it to `target`, which is replaced.
pub(crate) fn link(directory: &Path, target: &Path, content: &Path) -> io::Result<()> {
    let temporary = temporary_name(directory);
    let linked = symlink(content, &temporary).and_then(|()| fs::rename(&temporary, target));
    remove_on_error(&temporary, linked)
}

/// Returns a name that no other thread or process uses. A leftover of a killed process with the same id is an error
/// once, and the next name is free.
fn temporary_name(directory: &Path) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    directory.join(format!(".paddock-{}-{number}.tmp", process::id()))
}

fn remove_on_error(temporary: &Path, result: io::Result<()>) -> io::Result<()> {
    if result.is_err() {
        // The first error is the one to report.
        let _removed = fs::remove_file(temporary);
    }
    result
}
