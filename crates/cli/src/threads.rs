//! Checks that the system grants the threads that a command needs.

use std::io;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

use paddock_supervisor::FailureClass;

/// Threads of a command that reads and writes the terminal without blocking other work.
pub(crate) const TERMINAL_THREADS: usize = 2;

/// The system grants fewer threads than a command needs.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot start {count} threads: {source}\n  = help: {}",
    FailureClass::TooManyProcesses.advice()
)]
pub(crate) struct TooFewThreads {
    count: usize,
    source: io::Error,
}

/// Checks that the system grants `count` threads at once.
///
/// Libraries panic if they cannot start a thread: tracing-appender for the log, tokio for blocking work.
///
/// # Errors
/// The system grants fewer threads than a command needs.
pub(crate) fn ensure_available(count: usize) -> Result<(), TooFewThreads> {
    let started: io::Result<Vec<_>> = (0..count).map(|_| start_thread()).collect();
    let threads = started.map_err(|source| TooFewThreads { count, source })?;
    for (end, thread) in threads {
        drop(end);
        // The thread cannot panic.
        let _ = thread.join();
    }
    Ok(())
}

/// Starts a thread that ends when its sender is dropped.
fn start_thread() -> io::Result<(Sender<()>, JoinHandle<()>)> {
    let (end, ended) = mpsc::channel();
    let thread = thread::Builder::new().spawn(move || {
        let _ = ended.recv();
    })?;
    Ok((end, thread))
}
