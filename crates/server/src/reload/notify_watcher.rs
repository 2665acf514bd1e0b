//! Watches the configuration file on systems without inotify(7).

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::io;
use std::path::Path;
use tokio::sync::mpsc;

/// Reports changes of any file in the configuration file's directory: editors and configuration management
/// replace the file.
#[derive(Debug)]
pub(super) struct FileWatcher {
    changes: mpsc::Receiver<()>,
    _watcher: RecommendedWatcher,
}

impl FileWatcher {
    /// Watches the directory of a file.
    ///
    /// # Errors
    /// The directory cannot be watched.
    pub(super) fn watch(file: &Path) -> io::Result<Self> {
        // One pending message is enough: the receiver checks the file.
        let (sender, changes) = mpsc::channel(1);
        let on_event = move |_event| {
            let _ = sender.try_send(());
        };
        let mut watcher = notify::recommended_watcher(on_event).map_err(io::Error::other)?;
        let directory = file.parent().filter(|path| !path.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new("."));
        let watching = watcher.watch(directory, RecursiveMode::NonRecursive);
        watching.map_err(io::Error::other)?;
        Ok(Self {
            changes,
            _watcher: watcher,
        })
    }

    /// Waits until the file may have changed.
    ///
    /// # Errors
    /// The watcher has ended.
    pub(super) async fn next(&mut self) -> io::Result<()> {
        let change = self.changes.recv().await;
        change.ok_or_else(|| io::Error::other("nothing is watched any more"))
    }
}
