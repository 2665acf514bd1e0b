//! How the service runs until it is told to stop, and how it stops.

use super::Service;
use crate::listeners;
use paddock_runtime::CommandEnd;
use paddock_runtime::runtime_dir::RUN_VARIABLE;
use paddock_telemetry as telemetry;
use std::future::{self, Future};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

/// How long an operator's open connection may hold up the end.
const LAST_ANSWERS: Duration = Duration::from_millis(500);

/// How long children may take to stop whose runtime actor has panicked: the grace they have, and a
/// little more.
const LAST_CHILDREN: Duration = Duration::from_secs(3);

/// What the runtime actor is called.
const RUNTIME: &str = "the runtime actor";

/// The most that a stop takes after the drain: children are told, told again, killed and waited for, and
/// the last events, traces and metrics are sent.
const AFTER_DRAIN: Duration = Duration::from_secs(25);

/// A part without which paddock is of no use has ended by a panic. Everything else was stopped.
#[derive(Debug, thiserror::Error)]
#[error(
    "{part} ended by a panic, so everything was stopped; this is a fault in paddock: please report it \
     with what was logged"
)]
pub struct Broken {
    part: &'static str,
}

/// Waits for the end of a wrapped command that has never served. Never completes where there is none, or it serves.
async fn ended(command: Option<oneshot::Receiver<CommandEnd>>) -> CommandEnd {
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
    /// Serves until `shutdown` completes, then drains: no new connections, what is in flight may
    /// finish within the drain timeout, then it is ended, the child is stopped, and every file is
    /// removed. When `abort` completes the drain is cut short and the child is killed. A wrapped command that ends
    /// before it has served stops it in the same way, and is returned.
    ///
    /// # Errors
    /// A part that everything else needs has panicked. Then it stops in the same way, asked or not.
    pub async fn run(
        mut self,
        shutdown: impl Future<Output = ()>,
        abort: impl Future<Output = ()>,
    ) -> Result<Option<CommandEnd>, Broken> {
        let mut command_end = None;
        let ending = ended(self.command_end.take());
        let broken = tokio::select! {
            () = shutdown => None,
            part = self.broken() => Some(part),
            end = ending => {
                command_end = Some(end);
                None
            }
        };
        if let Some(part) = broken {
            tracing::error!("{part} ended by a panic; stopping");
        } else {
            tracing::info!("stopping");
        }
        self.accepting.cancel();
        let deadline = Instant::now() + self.config.server.drain_timeout;
        self.telling.stopping(deadline + AFTER_DRAIN);
        self.runtime.shutdown(deadline).await;
        tokio::select! {
            () = self.stopped.wait() => {}
            () = abort => {
                tracing::warn!("stopping at once");
                self.runtime.shutdown_now().await;
                self.stopped.wait().await;
            }
        }
        let panicked = (&mut self.actor).await.is_err();
        let broken = broken.or(panicked.then_some(RUNTIME));
        self.close(broken).await;
        match broken {
            Some(part) => Err(Broken { part }),
            None => Ok(command_end),
        }
    }

    /// Waits until something has ended that is to last, and says what.
    async fn broken(&mut self) -> &'static str {
        tokio::select! {
            () = self.stopped.wait() => RUNTIME,
            () = self.spawner.wait_closed() => "the thread that starts children",
            () = self.workers.panicked() => "a thread that serves clients",
        }
    }

    /// Kills processes that have escaped when their children ended.
    async fn kill_leftovers(&self) {
        let run = self.runtime_dir.run().as_str();
        let killed = self.spawner.kill_leftovers(RUN_VARIABLE, run).await;
        if !killed.is_empty() {
            tracing::info!(?killed, "killed what children had left running");
        }
    }

    /// Closes what is left when the runtime actor has ended, this part having panicked or none.
    async fn close(mut self, broken: Option<&str>) {
        // An actor that panicked has not waited for them.
        self.instances.close();
        if timeout(LAST_CHILDREN, self.instances.wait()).await.is_err() {
            tracing::error!("not every child has stopped; the kernel ends those that have not");
        }
        self.kill_leftovers().await;
        self.admin_open.cancel();
        self.exporter.finish().await;
        // Past the limit an operator's connection is closed as it is.
        let last_answers = timeout(LAST_ANSWERS, self.tasks.wait());
        let _ = tokio::join!(last_answers, self.workers.join());
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
        if let Some(watcher) = self.watcher {
            watcher.dismiss().await;
        }
        drop(self.spawner);
        if let Err(error) = self.runtime_dir.close() {
            tracing::warn!(%error, "the runtime directory is left behind");
        }
        listeners::remove(&self.sockets);
        drop(self.state_dir);
        self.telling.end().await;
    }
}
