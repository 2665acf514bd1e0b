//! Runs the task that notifies the service manager, and ends it in bounded time.

use super::{ProgressReporter, ServiceManager};
use paddock_runtime::RuntimeHandle;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Longest time that a service manager that does not read may delay the end.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// The task that notifies a service manager, if there is one, from the service's start to its end.
#[derive(Debug)]
pub(crate) struct NotifyTask {
    progress: ProgressReporter,
    /// Ends when the manager has received the last notification.
    task: TaskTracker,
    cancel: CancellationToken,
}

impl NotifyTask {
    pub(crate) fn new() -> Self {
        Self {
            progress: ProgressReporter::new(),
            task: TaskTracker::new(),
            cancel: CancellationToken::new(),
        }
    }

    /// Returns the sender by which parts of the service report their progress.
    pub(crate) fn progress(&self) -> &ProgressReporter {
        &self.progress
    }

    /// Starts the task, which first reports that the service is ready.
    pub(crate) fn begin(&self, manager: Option<ServiceManager>, runtime: &RuntimeHandle) {
        if let Some(manager) = manager {
            let progress = self.progress.subscribe();
            let notifying = manager.run(runtime.clone(), progress, self.cancel.clone());
            self.task.spawn(notifying);
        }
        self.task.close();
    }

    /// Reports that the service is stopping and ends by `deadline`.
    pub(crate) fn set_stopping(&self, deadline: Instant) {
        self.progress.set_stopping(deadline);
    }

    /// Reports the end of the service and waits for the task.
    pub(crate) async fn end(self) {
        self.progress.set_over();
        // A manager that does not read in time misses the last notifications.
        let _ = timeout(SHUTDOWN_TIMEOUT, self.task.wait()).await;
        self.cancel.cancel();
        self.task.wait().await;
    }
}
