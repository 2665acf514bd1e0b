//! Runs blocking work on a thread of its own.
//!
//! tokio's `spawn_blocking` panics if the system grants no thread. `RLIMIT_NPROC` counts all processes and
//! threads of a user, so any program of the same user can cause that, a child included. Here the result is an
//! error.

use std::{io, thread};

use tokio::sync::oneshot;

/// Runs `work` on a new thread and returns its result. Cancelled work still runs to its end.
///
/// # Errors
///
/// The system grants no thread, or the task panicked.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let (sender, result) = oneshot::channel();
    thread::Builder::new()
        .name("paddock-blocking".to_owned())
        .spawn(move || {
            // The receiver is gone when its task was cancelled.
            let _ = sender.send(work());
        })?;
    let panicked = |_| io::Error::other("the task panicked");
    result.await.map_err(panicked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_has_a_thread_of_its_own() {
        let here = thread::current().id();
        let there = run(|| thread::current().id()).await.unwrap();
        assert_ne!(there, here);
        let panicked: io::Result<()> = run(|| panic!("as it should")).await;
        panicked.unwrap_err();
    }
}
