//! Opens files in directories that other users may write to, such as a shared cache: a symbolic link, a second name or
//! a pipe that one of them has put there must neither redirect a write nor block the process.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

/// Opens a file for reading and writing, or creates it. Fails for anything but a regular file with this name alone.
pub(crate) fn open_or_create(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
        .open(path)?;
    let metadata = file.metadata()?;
    // A lock file that its last holder has just deleted has no name.
    if !metadata.is_file() || metadata.nlink() > 1 {
        let cause = "it is not a regular file, or has a second name";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, cause));
    }
    Ok(file)
}

/// Opens a regular file for reading. Returns `None` for everything else, without waiting for the writer of a pipe.
pub(crate) fn open_to_read(path: &Path) -> Option<File> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)
        .ok()?;
    file.metadata().ok()?.is_file().then_some(file)
}

/// Reads a small file; `None` if it is absent, unreadable or longer than `limit`.
pub(crate) fn read_small(path: &Path, limit: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = open_to_read(path)?;
    file.take(limit + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= limit).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn planted_files_are_neither_followed_nor_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("victim"), "content").unwrap();
        symlink(path("victim"), path("link")).unwrap();
        symlink(path("absent"), path("dangling")).unwrap();
        fs::hard_link(path("victim"), path("second-name")).unwrap();
        mknodat(
            CWD,
            path("pipe"),
            FileType::Fifo,
            Mode::RUSR | Mode::WUSR,
            0,
        )
        .unwrap();
        for name in ["link", "dangling", "second-name", "pipe"] {
            assert!(open_or_create(&path(name)).is_err(), "{name}");
        }
        assert!(!path("absent").exists());
        assert!(open_to_read(&path("pipe")).is_none());
        assert_eq!(read_small(&path("link"), 7).unwrap(), b"content");
        assert_eq!(read_small(&path("link"), 6), None);
        open_or_create(&path("new")).unwrap();
    }
}
