//! Tells when the configuration's file may be another, by inotify(7).
//!
//! What is written into the file is told by its own inode, and what is put in its place by its directory. So
//! nothing is told of what is written beside it, such as a log, however often that is.

use super::closed_aside::ClosedAside;
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

/// Bytes of news that are read at once: an event has a name of 255 at most.
const NEWS: usize = 4096;

/// What tells that there is another file of a name.
const BESIDE: WatchFlags = WatchFlags::CREATE.union(WatchFlags::MOVED_TO);

/// What tells that a file has been written, and when another inode is to be watched: this one's name is taken
/// away, which changes its count of links.
const ITSELF: WatchFlags = WatchFlags::CLOSE_WRITE
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::DELETE_SELF);

/// Tells when a file may be another.
#[derive(Debug)]
pub(super) struct Touched {
    news: AsyncFd<ClosedAside>,
    file: PathBuf,
    name: OsString,
    /// The watch of the file's inode, where there is a file.
    itself: Option<i32>,
    buffer: Vec<MaybeUninit<u8>>,
}

impl Touched {
    /// Watches a file, its directory and what it leads to, where it is a link.
    ///
    /// # Errors
    /// The system has no more watches, or the directory cannot be watched.
    pub(super) fn watch(file: &Path) -> io::Result<Self> {
        let news = ClosedAside::new(init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?);
        let directory = file.parent().filter(|path| !path.as_os_str().is_empty());
        add_watch(&news, directory.unwrap_or(Path::new(".")), BESIDE)?;
        #[expect(
            deprecated,
            reason = "the descriptor stays open for as long as it is there, and what is to be used instead is unsafe code"
        )]
        let news = AsyncFd::new(news)?;
        let mut touched = Self {
            news,
            file: file.to_owned(),
            name: file.file_name().unwrap_or_default().to_owned(),
            itself: None,
            buffer: vec![MaybeUninit::uninit(); NEWS],
        };
        touched.watch_itself();
        Ok(touched)
    }

    /// Watches the inode that is the file now. One that is gone is watched when it is there again.
    fn watch_itself(&mut self) {
        let news = self.news.get_ref();
        let now = add_watch(news, &self.file, ITSELF).ok();
        if let Some(before) = self.itself.filter(|before| now != Some(*before)) {
            // With its inode it is gone by itself.
            let _ = remove_watch(news, before);
        }
        self.itself = now;
    }

    /// Waits until the file may be another.
    ///
    /// # Errors
    /// What the system said.
    pub(super) async fn next(&mut self) -> io::Result<()> {
        loop {
            self.news.readable().await?.clear_ready();
            if self.read()? {
                return Ok(());
            }
        }
    }

    /// Reads all news. Says whether any is of the file.
    fn read(&mut self) -> io::Result<bool> {
        // Any name may be a part of the way that a link leads.
        let is_link = self.file.is_symlink();
        let is_name = |name: &CStr| is_link || name.to_bytes() == self.name.as_bytes();
        let mut touched = false;
        let mut reader = Reader::new(self.news.get_ref(), &mut self.buffer);
        loop {
            match reader.next() {
                // A watch that has ended tells nothing of the file; that too much has happened may.
                Ok(event) if event.events().contains(ReadFlags::IGNORED) => {}
                Ok(event) => touched |= event.file_name().is_none_or(is_name),
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if touched {
            self.watch_itself();
        }
        Ok(touched)
    }
}

#[cfg(test)]
mod tests;
