//! The threads that a process needs.

use std::io;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

use paddock_supervisor::FailureClass;

/// Threads of a command that reads and writes the terminal without keeping other work waiting.
pub(crate) const BLOCKING: usize = 2;

/// Says that the system grants fewer threads than a command needs.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot start {count} threads: {source}\n  = help: {}",
    FailureClass::TooManyProcesses.advice()
)]
pub(crate) struct TooFewThreads {
    count: usize,
    source: io::Error,
}

/// Makes sure that the system grants this many threads at once.
///
/// Libraries start some of them, and panic where they cannot: tracing-appender the one that writes the log, tokio
/// those that block.
///
/// # Errors
/// The system grants fewer threads than a command needs.
pub(crate) fn ensure(count: usize) -> Result<(), TooFewThreads> {
    let started: io::Result<Vec<_>> = (0..count).map(|_| start()).collect();
    let threads = started.map_err(|source| TooFewThreads { count, source })?;
    for (end, thread) in threads {
        drop(end);
        // It cannot panic.
        let _ = thread.join();
    }
    Ok(())
}

/// Starts a thread that ends with its sender.
fn start() -> io::Result<(Sender<()>, JoinHandle<()>)> {
    let (end, ended) = mpsc::channel();
    let thread = thread::Builder::new().spawn(move || {
        let _ = ended.recv();
    })?;
    Ok((end, thread))
}
