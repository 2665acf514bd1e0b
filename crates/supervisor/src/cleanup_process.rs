//! Controls the cleanup process, which kills the processes that children have left once this process has ended, even
//! by SIGKILL.

use std::{io, time::Duration};

use tokio::{
    io::AsyncWriteExt as _,
    process::{Child, ChildStdin},
    time,
};

use crate::orphans::ForkedChild;

/// Longest wait for the exit of a dismissed cleanup process.
const EXIT_TIMEOUT: Duration = Duration::from_secs(1);

/// A process that waits for the end of this one, and then kills the processes that this one's children have
/// left.
#[derive(Debug)]
pub struct CleanupProcess {
    child: Child,
    /// Held open: its end tells the cleanup process that this process has ended.
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

    /// Sends the variable by which the processes to kill are recognised.
    pub(crate) async fn name_leftovers(&mut self, variable: &str, value: &str) -> io::Result<()> {
        let Some(stdin) = &mut self.stdin else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        stdin
            .write_all(format!("{variable}={value}").as_bytes())
            .await
    }

    /// Ends the process before it has anything to clean up.
    pub async fn dismiss(mut self) {
        // An error means that it has exited already, and it holds nothing that could be lost.
        if let Err(error) = self.child.start_kill() {
            tracing::debug!(%error, "the cleanup process has exited already");
        }
        let _ = time::timeout(EXIT_TIMEOUT, self.child.wait()).await;
    }
}
