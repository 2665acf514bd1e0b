//! Runs the thread that owns a [`LoadHistory`].
//!
//! `SQLite` blocks for the disk and for other processes, and a connection serves one caller at a time. So one
//! thread owns it, and async code sends commands.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::{mpsc, oneshot};
use tracing::{debug, warn};

use super::{LoadHistory, LoadHistoryError, LoadKey, LoadMeasurement};

/// Capacity of the command channel. A load is one lookup and one record.
const MAX_COMMANDS: usize = 64;

/// Sends commands to the thread. Clones share it; the thread ends when the last one is dropped.
#[derive(Debug, Clone)]
pub struct LoadHistoryHandle {
    commands: mpsc::Sender<LoadHistoryCommand>,
    dropped: Arc<AtomicU64>,
}

/// Waits for the end of the thread.
#[derive(Debug)]
pub struct LoadHistoryThread {
    ended: oneshot::Receiver<()>,
}

/// A command to the thread.
#[derive(Debug)]
enum LoadHistoryCommand {
    Lookup(LoadKey, oneshot::Sender<Option<LoadMeasurement>>),
    Record(LoadKey, LoadMeasurement),
}

/// Starts the thread for a state directory and waits until it has opened the database.
pub async fn start(
    directory: PathBuf,
) -> Result<(LoadHistoryHandle, LoadHistoryThread), LoadHistoryError> {
    let (commands, queue) = mpsc::channel(MAX_COMMANDS);
    let (opened, open) = oneshot::channel();
    let (end, ended) = oneshot::channel();
    thread::Builder::new()
        .name("paddock-learned".to_owned())
        .spawn(move || {
            match LoadHistory::open(&directory, unix_now()) {
                Ok(history) => {
                    if opened.send(Ok(())).is_ok() {
                        serve(history, queue);
                    }
                }
                // The caller of `start` may have been cancelled.
                Err(error) => drop(opened.send(Err(error))),
            }
            // [`LoadHistoryThread::join`] may never be called.
            let _ = end.send(());
        })
        .map_err(LoadHistoryError::Thread)?;
    let gone = |_| LoadHistoryError::Thread(std::io::Error::other("it exited immediately"));
    open.await.map_err(gone)??;
    let dropped = Arc::new(AtomicU64::new(0));
    Ok((
        LoadHistoryHandle { commands, dropped },
        LoadHistoryThread { ended },
    ))
}

impl LoadHistoryHandle {
    /// Returns the measurement of loads of this kind. A read error is logged and returns `None`, since a
    /// measurement only improves an estimate.
    pub(crate) async fn lookup(&self, key: LoadKey) -> Option<LoadMeasurement> {
        let (answer, answered) = oneshot::channel();
        self.commands
            .send(LoadHistoryCommand::Lookup(key, answer))
            .await
            .ok()?;
        answered.await.ok()?
    }

    /// Queues a load's measurement without waiting. If the queue is full, the measurement is dropped: the next load
    /// measures again.
    pub(crate) fn record(&self, key: LoadKey, measurement: LoadMeasurement) {
        if let Err(error) = self
            .commands
            .try_send(LoadHistoryCommand::Record(key, measurement))
        {
            let dropped = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
            debug!(%error, dropped, "a load measurement was dropped");
        }
    }
}

impl LoadHistoryThread {
    /// Waits until the thread has handled its queue and closed the file, after the last [`LoadHistoryHandle`] is
    /// dropped.
    pub async fn join(self) {
        // A thread that panicked has ended as well.
        let _ = self.ended.await;
    }
}

fn serve(mut history: LoadHistory, mut queue: mpsc::Receiver<LoadHistoryCommand>) {
    while let Some(command) = queue.blocking_recv() {
        match command {
            LoadHistoryCommand::Lookup(key, answer) => {
                let measurement = history.lookup(&key, unix_now()).unwrap_or_else(|error| {
                    warn!(%error, "could not read load measurements");
                    None
                });
                // The caller may have been cancelled.
                let _ = answer.send(measurement);
            }
            LoadHistoryCommand::Record(key, measurement) => {
                if let Err(error) = history.record(&key, &measurement) {
                    warn!(%error, "could not save a load measurement");
                }
            }
        }
    }
}

/// Returns the current Unix time in seconds.
fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{ArgumentsHash, FileIdentity};
    use super::*;
    use paddock_telemetry::database::DatabaseError;

    fn key(name: &str) -> LoadKey {
        LoadKey {
            file: FileIdentity::from_paths(&[]).unwrap(),
            arguments: ArgumentsHash::from_args([name]),
            engine: FileIdentity::from_paths(&[]).unwrap(),
        }
    }

    fn measurement() -> LoadMeasurement {
        LoadMeasurement {
            reported: None,
            observed: None,
            load: Duration::from_secs(1),
            context: None,
            loads: 0,
            measured_at: unix_now(),
        }
    }

    #[tokio::test]
    async fn what_is_taught_is_recalled_and_outlives_the_thread() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        let (handle, owner) = start(path.clone()).await.unwrap();
        assert_eq!(handle.lookup(key("a")).await, None);
        handle.record(key("a"), measurement());
        assert_eq!(handle.clone().lookup(key("a")).await.unwrap().loads, 1);
        handle.record(key("a"), measurement());
        drop(handle);
        owner.join().await;

        let (handle, _) = start(path).await.unwrap();
        assert_eq!(handle.lookup(key("a")).await.unwrap().loads, 2);
        assert_eq!(handle.dropped.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_directory_that_cannot_be_is_an_error_of_start() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = start(file.join("state")).await.unwrap_err();
        assert!(
            matches!(
                error,
                LoadHistoryError::File(DatabaseError::Directory { .. })
            ),
            "{error}"
        );
    }

    #[tokio::test]
    async fn lessons_are_dropped_and_counted_when_the_thread_is_behind() {
        let (commands, _queue) = mpsc::channel(2);
        let handle = LoadHistoryHandle {
            commands,
            dropped: Arc::default(),
        };
        for _ in 0..5 {
            handle.record(key("a"), measurement());
        }
        assert_eq!(handle.dropped.load(Ordering::Relaxed), 3);
    }

    #[tokio::test]
    async fn a_thread_that_is_gone_teaches_nothing_and_hangs_nobody() {
        let (commands, queue) = mpsc::channel(2);
        let handle = LoadHistoryHandle {
            commands,
            dropped: Arc::default(),
        };
        drop(queue);
        handle.record(key("a"), measurement());
        assert_eq!(handle.dropped.load(Ordering::Relaxed), 1);
        assert_eq!(handle.lookup(key("a")).await, None);
    }
}
