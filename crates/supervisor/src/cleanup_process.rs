//! The process that cleans up after this one, seen from this one.

use std::{io, time::Duration};

use tokio::{
    io::AsyncWriteExt as _,
    process::{Child, ChildStdin},
    time,
};

use crate::orphans::ForkedChild;

/// The longest time that is waited for its end.
const EXIT_TIMEOUT: Duration = Duration::from_secs(1);

/// A process that waits for the end of this one, and then kills what this one's children have left running.
#[derive(Debug)]
pub struct CleanupProcess {
    child: Child,
    /// Held open: its end is what the process waits for.
    stdin: Option<ChildStdin>,
    _forked: ForkedChild,
}

impl CleanupProcess {
    pub(crate) fn new(mut child: Child, forked: ForkedChild) -> Self {
        Self {
            stdin: child.stdin.take(),
            child,
            _forked: forked,
        }
    }

    /// Says by which variable the processes are known.
    pub(crate) async fn name_leftovers(&mut self, variable: &str, value: &str) -> io::Result<()> {
        let Some(stdin) = &mut self.stdin else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        stdin
            .write_all(format!("{variable}={value}").as_bytes())
            .await
    }

    /// Ends the process, with nothing left for it to do.
    pub async fn dismiss(mut self) {
        // It has no business with the signal's sender, and nothing to lose.
        if let Err(error) = self.child.start_kill() {
            tracing::debug!(%error, "the watcher has ended");
        }
        let _ = time::timeout(EXIT_TIMEOUT, self.child.wait()).await;
    }
}
