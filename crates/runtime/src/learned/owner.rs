//! The thread that owns a [`Learned`].
//!
//! `SQLite` blocks for the disk and for other processes, and a connection serves one caller at a time. So
//! one thread has it, and async code sends it what it wants.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::{mpsc, oneshot};
use tracing::{debug, warn};

use super::{Key, Learned, LearnedError, Lesson};

/// Wishes waiting for the thread. A load is one question and one lesson.
const QUEUE: usize = 64;

/// Asks and teaches the thread. Clones share it; it ends when the last one is dropped.
#[derive(Debug, Clone)]
pub struct Handle {
    wishes: mpsc::Sender<Wish>,
    dropped: Arc<AtomicU64>,
}

/// Tells when the thread has ended.
#[derive(Debug)]
pub struct Owner {
    ended: oneshot::Receiver<()>,
}

#[derive(Debug)]
enum Wish {
    Recall(Key, oneshot::Sender<Option<Lesson>>),
    Learn(Key, Lesson),
}

/// Starts the thread on a state directory and waits until it has opened the file there.
pub async fn start(directory: PathBuf) -> Result<(Handle, Owner), LearnedError> {
    let (wishes, queue) = mpsc::channel(QUEUE);
    let (opened, open) = oneshot::channel();
    let (end, ended) = oneshot::channel();
    thread::Builder::new()
        .name("paddock-learned".to_owned())
        .spawn(move || {
            match Learned::open(&directory, now()) {
                Ok(learned) => {
                    if opened.send(Ok(())).is_ok() {
                        serve(learned, queue);
                    }
                }
                // The one who started it may be gone.
                Err(error) => drop(opened.send(Err(error))),
            }
            // Nobody may wait for it.
            let _ = end.send(());
        })
        .map_err(LearnedError::Thread)?;
    let gone = |_| LearnedError::Thread(std::io::Error::other("it ended at once"));
    open.await.map_err(gone)??;
    let dropped = Arc::new(AtomicU64::new(0));
    Ok((Handle { wishes, dropped }, Owner { ended }))
}

impl Handle {
    /// What loads of this kind taught. A failure to read it is logged, and is `None`: a lesson is
    /// advice.
    pub(crate) async fn recall(&self, key: Key) -> Option<Lesson> {
        let (answer, answered) = oneshot::channel();
        self.wishes.send(Wish::Recall(key, answer)).await.ok()?;
        answered.await.ok()?
    }

    /// Hands over what one load taught, without waiting. If the thread is that far behind, the lesson is
    /// dropped: the next load teaches it again.
    pub(crate) fn learn(&self, key: Key, lesson: Lesson) {
        if let Err(error) = self.wishes.try_send(Wish::Learn(key, lesson)) {
            let dropped = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
            debug!(%error, dropped, "a lesson is dropped");
        }
    }
}

impl Owner {
    /// Waits until the thread has done what it was asked, and has closed the file. It does so once the
    /// last [`Handle`] is dropped.
    pub async fn join(self) {
        // A thread that panicked has ended as well.
        let _ = self.ended.await;
    }
}

fn serve(mut learned: Learned, mut queue: mpsc::Receiver<Wish>) {
    while let Some(wish) = queue.blocking_recv() {
        match wish {
            Wish::Recall(key, answer) => {
                let lesson = learned.recall(&key, now()).unwrap_or_else(|error| {
                    warn!(%error, "what loads taught cannot be read");
                    None
                });
                // The one who asked may be gone.
                let _ = answer.send(lesson);
            }
            Wish::Learn(key, lesson) => {
                if let Err(error) = learned.learn(&key, &lesson) {
                    warn!(%error, "what a load taught cannot be kept");
                }
            }
        }
    }
}

/// Seconds of Unix time.
fn now() -> u64 {
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

    fn key(name: &str) -> Key {
        Key {
            file: FileIdentity::of(&[]).unwrap(),
            arguments: ArgumentsHash::of([name]),
            engine: FileIdentity::of(&[]).unwrap(),
        }
    }

    fn lesson() -> Lesson {
        Lesson {
            reported: None,
            observed: None,
            load: Duration::from_secs(1),
            context: None,
            loads: 0,
            at: now(),
        }
    }

    #[tokio::test]
    async fn what_is_taught_is_recalled_and_outlives_the_thread() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        let (handle, owner) = start(path.clone()).await.unwrap();
        assert_eq!(handle.recall(key("a")).await, None);
        handle.learn(key("a"), lesson());
        assert_eq!(handle.clone().recall(key("a")).await.unwrap().loads, 1);
        handle.learn(key("a"), lesson());
        drop(handle);
        owner.join().await;

        let (handle, _) = start(path).await.unwrap();
        assert_eq!(handle.recall(key("a")).await.unwrap().loads, 2);
        assert_eq!(handle.dropped.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_directory_that_cannot_be_is_an_error_of_start() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = start(file.join("state")).await.unwrap_err();
        assert!(
            matches!(error, LearnedError::File(DatabaseError::Directory { .. })),
            "{error}"
        );
    }

    #[tokio::test]
    async fn lessons_are_dropped_and_counted_when_the_thread_is_behind() {
        let (wishes, _queue) = mpsc::channel(2);
        let handle = Handle {
            wishes,
            dropped: Arc::default(),
        };
        for _ in 0..5 {
            handle.learn(key("a"), lesson());
        }
        assert_eq!(handle.dropped.load(Ordering::Relaxed), 3);
    }

    #[tokio::test]
    async fn a_thread_that_is_gone_teaches_nothing_and_hangs_nobody() {
        let (wishes, queue) = mpsc::channel(2);
        let handle = Handle {
            wishes,
            dropped: Arc::default(),
        };
        drop(queue);
        handle.learn(key("a"), lesson());
        assert_eq!(handle.dropped.load(Ordering::Relaxed), 1);
        assert_eq!(handle.recall(key("a")).await, None);
    }
}
