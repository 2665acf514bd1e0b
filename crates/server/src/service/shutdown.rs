//! Runs the service until a signal or a panic, then stops its parts in order.

use super::Service;
use crate::listeners;
use paddock_runtime::CommandEnd;
use paddock_runtime::runtime_dir::RUN_VARIABLE;
use paddock_telemetry as telemetry;
use std::future::{self, Future};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

/// Longest time that open connections of the admin plane (the routes for operators) may delay the end.
const ADMIN_DRAIN_TIMEOUT: Duration = Duration::from_millis(500);

/// Longest wait for children to stop after a panic of the runtime actor: a little more than their grace period.
const ORPHANED_INSTANCES_TIMEOUT: Duration = Duration::from_secs(3);

/// Maximum wait for the context store.
const CONTEXTS_TIMEOUT: Duration = Duration::from_secs(5);

/// Name in messages of the runtime actor, the task that decides which models are loaded.
const RUNTIME_ACTOR: &str = "the runtime actor";

/// Upper bound of a stop's duration after the drain: conversations are saved; children get two SIGTERMs, then SIGKILL, and
/// are reaped; the last contexts are written, and the last events, traces and metrics are sent.
const MAX_TIME_AFTER_DRAIN: Duration = Duration::from_secs(45);

/// An essential part of paddock has panicked, and everything else was stopped.
#[derive(Debug, thiserror::Error)]
#[error(
    "{part} panicked, so paddock shut down; this is a bug in paddock: please report it with the \
     log"
)]
pub struct PartPanicked {
    part: &'static str,
}

/// Waits for the end of a command of `paddock wrap` that has never been ready. Never completes if there is no such
/// command or the command has been ready once.
async fn wait_for_command_end(command: Option<oneshot::Receiver<CommandEnd>>) -> CommandEnd {
    let ended = match command {
        Some(command) => command.await.ok(),
        None => None,
    };
    match ended {
        Some(end) => end,
        None => future::pending().await,
    }
}

impl Service {
    /// Serves until `shutdown` completes, then drains.
    ///
    /// Draining refuses new connections, lets in-flight requests finish within the drain timeout and ends the
    /// rest; then children are stopped and all files removed. When `abort` completes, the drain ends and children
    /// are killed. The end of a wrapped command that has never served also stops the service and is returned.
    ///
    /// # Errors
    /// An essential part has panicked, which stops the service in the same way.
    pub async fn run(
        mut self,
        shutdown: impl Future<Output = ()>,
        abort: impl Future<Output = ()>,
    ) -> Result<Option<CommandEnd>, PartPanicked> {
        let mut command_end = None;
        let ending = wait_for_command_end(self.command_end.take());
        let broken = tokio::select! {
            () = shutdown => None,
            part = self.wait_for_panic() => Some(part),
            end = ending => {
                command_end = Some(end);
                None
            }
        };
        if let Some(part) = broken {
            tracing::error!("{part} panicked; stopping");
        } else {
            tracing::info!("stopping");
        }
        self.accepting.cancel();
        let deadline = Instant::now() + self.config.server.drain_timeout;
        self.notify_task
            .set_stopping(deadline + MAX_TIME_AFTER_DRAIN);
        self.runtime.shutdown(deadline).await;
        tokio::select! {
            () = self.stopped.wait() => {}
            () = abort => {
                tracing::warn!("stopping immediately");
                self.runtime.shutdown_now().await;
                self.stopped.wait().await;
            }
        }
        let panicked = (&mut self.actor).await.is_err();
        let broken = broken.or(panicked.then_some(RUNTIME_ACTOR));
        self.close(broken).await;
        match broken {
            Some(part) => Err(PartPanicked { part }),
            None => Ok(command_end),
        }
    }

    /// Waits until an essential part has panicked, and returns its name.
    async fn wait_for_panic(&mut self) -> &'static str {
        tokio::select! {
            () = self.stopped.wait() => RUNTIME_ACTOR,
            () = self.spawner.wait_closed() => "the thread that starts children",
            () = self.workers.panicked() => "a thread that serves clients",
        }
    }

    /// Kills processes that outlived their children.
    async fn kill_leftovers(&self) {
        let run = self.runtime_dir.run().as_str();
        let killed = self.spawner.kill_leftovers(RUN_VARIABLE, run).await;
        if !killed.is_empty() {
            tracing::info!(?killed, "killed processes that children had left running");
        }
    }

    /// Closes all other parts after the runtime actor. `broken` is the part that has panicked, if any.
    async fn close(mut self, broken: Option<&str>) {
        // An actor that panicked has not waited for its instances.
        self.instances.close();
        if timeout(ORPHANED_INSTANCES_TIMEOUT, self.instances.wait())
            .await
            .is_err()
        {
            tracing::error!(
                "some children did not stop in time; the kernel will kill them when paddock exits"
            );
        }
        self.kill_leftovers().await;
        self.admin_open.cancel();
        self.exporter.finish().await;
        // After the timeout, connections of the admin plane are cut.
        let admin_drained = timeout(ADMIN_DRAIN_TIMEOUT, self.tasks.wait());
        let _ = tokio::join!(admin_drained, self.workers.join());
        self.activity.join(telemetry::stopped_event(broken)).await;
        let posted = async {
            if let Some(sink) = self.sink {
                sink.finish().await;
            }
        };
        tokio::join!(posted, self.exporter.join());
        if let Some(learned) = self.learned {
            learned.join().await;
        }
        if let Some(contexts) = self.contexts {
            // The store may write a large context; the next start removes what is unfinished.
            if timeout(CONTEXTS_TIMEOUT, contexts.join()).await.is_err() {
                tracing::warn!("the context store did not finish in time");
            }
        }
        if let Some(watcher) = self.watcher {
            watcher.dismiss().await;
        }
        drop(self.spawner);
        if let Err(error) = self.runtime_dir.close() {
            tracing::warn!(%error, "the runtime directory could not be removed");
        }
        listeners::remove_socket_files(&self.socket_files);
        drop(self.state_dir);
        self.notify_task.end().await;
    }
}
