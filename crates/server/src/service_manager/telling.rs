use super::{ServiceManager, Teller};
use paddock_runtime::RuntimeHandle;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a service manager that does not read may hold up the end.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The task that tells a service manager, where there is one, from the start of the service to its end.
#[derive(Debug)]
pub(crate) struct Telling {
    course: Teller,
    /// Ends when the manager knows that the service is over.
    task: TaskTracker,
    silence: CancellationToken,
}

impl Telling {
    pub(crate) fn new() -> Self {
        Self {
            course: Teller::new(),
            task: TaskTracker::new(),
            silence: CancellationToken::new(),
        }
    }

    /// Where the parts of the service tell how far they have come.
    pub(crate) fn course(&self) -> &Teller {
        &self.course
    }

    /// Says that the service is ready, and from then on what becomes of it.
    pub(crate) fn begin(&self, manager: Option<ServiceManager>, runtime: &RuntimeHandle) {
        if let Some(manager) = manager {
            let course = self.course.subscribe();
            let telling = manager.tell(runtime.clone(), course, self.silence.clone());
            self.task.spawn(telling);
        }
        self.task.close();
    }

    /// The end has begun, and comes by this time.
    pub(crate) fn stopping(&self, by: Instant) {
        self.course.stopping(by);
    }

    /// Says what is left to be said.
    pub(crate) async fn end(self) {
        self.course.over();
        // Past the limit it is not told.
        let _ = timeout(LAST_WORDS, self.task.wait()).await;
        self.silence.cancel();
        self.task.wait().await;
    }
}
