//! Watches the configuration file by inotify(7).
//!
//! A watch of the file's inode reports writes, a watch of its directory reports replacements. So writes to other
//! files of the directory, such as a log, cause no wake-ups.

use super::background_close::BackgroundClose;
use rustix::fs::inotify::{
    CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init, remove_watch,
};
use rustix::io::Errno;
use std::ffi::{CStr, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use tokio::io::unix::AsyncFd;

/// Bytes of events to read at once. Enough for several events: the name in an event has at most 255 bytes.
const EVENT_BUFFER_SIZE: usize = 4096;

/// Events of the directory that put another file in place.
const DIRECTORY_EVENTS: WatchFlags = WatchFlags::CREATE.union(WatchFlags::MOVED_TO);

/// Events of the file: writes, and the removal of its name (which changes its link count), after which another
/// inode has to be watched.
const FILE_EVENTS: WatchFlags = WatchFlags::CLOSE_WRITE
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::DELETE_SELF);

/// Waits for changes of a file.
#[derive(Debug)]
pub(super) struct FileWatcher {
    inotify: AsyncFd<BackgroundClose>,
    file: PathBuf,
    name: OsString,
    /// The watch of the file's inode, if the file exists.
    file_watch: Option<i32>,
    buffer: Vec<MaybeUninit<u8>>,
}

impl FileWatcher {
    /// Watches a file, its directory and, for a symbolic link, its target.
    ///
    /// # Errors
    /// The system has no more watches, or the directory cannot be watched.
    pub(super) fn watch(file: &Path) -> io::Result<Self> {
        let inotify = BackgroundClose::new(init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?);
        let directory = file.parent().filter(|path| !path.as_os_str().is_empty());
        add_watch(
            &inotify,
            directory.unwrap_or(Path::new(".")),
            DIRECTORY_EVENTS,
        )?;
        #[expect(
            deprecated,
            reason = "the descriptor stays open for as long as it is there, and what is to be used instead is unsafe code"
        )]
        let inotify = AsyncFd::new(inotify)?;
        let mut watcher = Self {
            inotify,
            file: file.to_owned(),
            name: file.file_name().unwrap_or_default().to_owned(),
            file_watch: None,
            buffer: vec![MaybeUninit::uninit(); EVENT_BUFFER_SIZE],
        };
        watcher.watch_file();
        Ok(watcher)
    }

    /// Watches the file's current inode. A missing file is watched once it exists again.
    fn watch_file(&mut self) {
        let inotify = self.inotify.get_ref();
        let now = add_watch(inotify, &self.file, FILE_EVENTS).ok();
        if let Some(before) = self.file_watch.filter(|before| now != Some(*before)) {
            // Fails if the kernel has removed the watch together with its inode.
            let _ = remove_watch(inotify, before);
        }
        self.file_watch = now;
    }

    /// Waits until the file may have changed.
    ///
    /// # Errors
    /// The events cannot be read.
    pub(super) async fn next(&mut self) -> io::Result<()> {
        loop {
            self.inotify.readable().await?.clear_ready();
            if self.read()? {
                return Ok(());
            }
        }
    }

    /// Reads all pending events and returns whether any concerns the file.
    fn read(&mut self) -> io::Result<bool> {
        // A link may lead through any name of the directory.
        let is_link = self.file.is_symlink();
        let is_name = |name: &CStr| is_link || name.to_bytes() == self.name.as_bytes();
        let mut has_changed = false;
        let mut reader = Reader::new(self.inotify.get_ref(), &mut self.buffer);
        loop {
            match reader.next() {
                // The end of a watch says nothing about the file; an overflow, which has no name, might.
                Ok(event) if event.events().contains(ReadFlags::IGNORED) => {}
                Ok(event) => has_changed |= event.file_name().is_none_or(is_name),
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if has_changed {
            self.watch_file();
        }
        Ok(has_changed)
    }
}

#[cfg(test)]
mod tests;
