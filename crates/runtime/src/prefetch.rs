//! Reads a model's file into the page cache while another model is being unloaded.

use std::fs::File;
use std::path::Path;

/// Asks the kernel to read a model's file ahead. The kernel continues in the background, as far as memory allows.
pub(super) fn prefetch(path: &Path) {
    let advised = File::open(path).and_then(|file| advise(&file));
    if let Err(error) = advised {
        tracing::debug!(path = %path.display(), %error, "could not prefetch the model file");
    }
}

/// Tells the kernel that the whole file will be read soon.
#[cfg(target_os = "linux")]
fn advise(file: &File) -> std::io::Result<()> {
    use rustix::fs::{Advice, fadvise};
    // No length means the whole file.
    Ok(fadvise(file, 0, None, Advice::WillNeed)?)
}

/// Does nothing on other systems.
#[cfg(not(target_os = "linux"))]
fn advise(_file: &File) -> std::io::Result<()> {
    Ok(())
}
