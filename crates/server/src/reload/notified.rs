//! Tells when the configuration's file may be another, on systems without inotify(7).

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::io;
use std::path::Path;
use tokio::sync::mpsc;

/// Tells whenever something happens to a file of the directory that the file is in: editors and configuration
/// management put another file in its place.
#[derive(Debug)]
pub(super) struct Touched {
    touched: mpsc::Receiver<()>,
    _watcher: RecommendedWatcher,
}

impl Touched {
    /// Watches the directory of a file.
    ///
    /// # Errors
    /// It cannot be watched.
    pub(super) fn watch(file: &Path) -> io::Result<Self> {
        // One is enough: who hears of it looks at the file.
        let (tell, touched) = mpsc::channel(1);
        let told = move |_event| drop(tell.try_send(()));
        let mut watcher = notify::recommended_watcher(told).map_err(io::Error::other)?;
        let directory = file.parent().filter(|path| !path.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new("."));
        let watching = watcher.watch(directory, RecursiveMode::NonRecursive);
        watching.map_err(io::Error::other)?;
        Ok(Self {
            touched,
            _watcher: watcher,
        })
    }

    /// Waits until the file may be another.
    ///
    /// # Errors
    /// The watcher has ended.
    pub(super) async fn next(&mut self) -> io::Result<()> {
        let touched = self.touched.recv().await;
        touched.ok_or_else(|| io::Error::other("nothing is watched any more"))
    }
}
