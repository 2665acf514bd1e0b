//! A file is read ahead, into the system's page cache, while another model makes room.

use std::fs::File;
use std::path::Path;

/// Asks the system to read a model's file ahead. It reads on by itself when this has returned, as
/// far as it has memory to spare.
pub(super) fn prefetch(path: &Path) {
    let advised = File::open(path).and_then(|file| advise(&file));
    if let Err(error) = advised {
        tracing::debug!(path = %path.display(), %error, "not read ahead");
    }
}

#[cfg(target_os = "linux")]
fn advise(file: &File) -> std::io::Result<()> {
    use rustix::fs::{Advice, fadvise};
    // Without a length it is the whole file.
    Ok(fadvise(file, 0, None, Advice::WillNeed)?)
}

#[cfg(not(target_os = "linux"))]
fn advise(_file: &File) -> std::io::Result<()> {
    Ok(())
}
