//! Notifies a service manager about paddock, by the protocol of `sd_notify(3)`.
//!
//! Three independent loops send the service's progress ([`ServiceProgress`]), a status line for people, and
//! watchdog keep-alives. A manager that does not read its socket delays only these loops.

mod environment;
mod notification;
mod notify_task;
mod progress;
mod status_line;

pub(crate) use notify_task::NotifyTask;
pub(crate) use progress::ProgressReporter;

use notification::Notification;
use paddock_runtime::RuntimeHandle;
use progress::ServiceProgress;
use status_line::StatusCounts;
use std::future;
use std::io;
use std::os::unix::net::{SocketAddr, UnixDatagram as Unconnected};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::UnixDatagram;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// Shortest time between two status lines.
const STATUS_INTERVAL: Duration = Duration::from_secs(1);

/// A connection to the service manager that started paddock.
#[derive(Debug)]
pub struct ServiceManager {
    socket: SocketAddr,
    /// Longest time without a keep-alive before the manager restarts paddock.
    watchdog: Option<Duration>,
    /// Set once a failure to notify the manager has been logged.
    send_failed: AtomicBool,
}

impl ServiceManager {
    /// Finds the manager in `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`. Logs invalid values and ignores
    /// them.
    pub fn from_env() -> Option<Self> {
        let (manager, errors) = environment::read(|name| std::env::var_os(name), process::id());
        for error in errors {
            tracing::warn!("{error}");
        }
        manager
    }

    fn new(socket: SocketAddr, watchdog: Option<Duration>) -> Self {
        Self {
            socket,
            watchdog,
            send_failed: AtomicBool::new(false),
        }
    }

    /// Sends notifications until the service is over or `cancel` fires.
    pub(crate) async fn run(
        self,
        runtime: RuntimeHandle,
        progress: watch::Receiver<ServiceProgress>,
        cancel: CancellationToken,
    ) {
        let background = async {
            tokio::join!(
                self.send_status(&runtime, progress.clone()),
                self.send_keepalives(&runtime)
            );
            future::pending::<()>().await;
        };
        tokio::select! {
            () = self.send_progress(progress.clone()) => {}
            () = background => {}
            () = cancel.cancelled() => {}
        }
    }

    async fn send_progress(&self, mut progress: watch::Receiver<ServiceProgress>) {
        let mut sent = None;
        loop {
            let now = *progress.borrow_and_update();
            for notification in progress::notifications_due(sent, now, Instant::now()) {
                self.send(&notification).await;
            }
            sent = Some(now);
            if now.is_over() || progress.changed().await.is_err() {
                return;
            }
        }
    }

    /// Sends the status line each time it changes. Ends with the runtime actor.
    async fn send_status(
        &self,
        runtime: &RuntimeHandle,
        mut progress: watch::Receiver<ServiceProgress>,
    ) {
        let mut changes = runtime.changes();
        let mut sent = String::new();
        loop {
            changes.borrow_and_update();
            let now = *progress.borrow_and_update();
            let Some(view) = runtime.snapshot().await else {
                return;
            };
            let line = StatusCounts::from_view(&view).to_line(now);
            if line != sent {
                self.send(&Notification::Status(line.clone())).await;
                sent = line;
            }
            sleep(STATUS_INTERVAL).await;
            let changed = tokio::select! {
                changed = changes.changed() => changed,
                changed = progress.changed() => changed,
            };
            if changed.is_err() {
                return;
            }
        }
    }

    /// Sends a keep-alive each time the runtime actor has answered, twice per watchdog interval. A hung or ended
    /// actor answers no more, so the manager restarts paddock.
    async fn send_keepalives(&self, runtime: &RuntimeHandle) {
        let Some(watchdog) = self.watchdog else {
            return;
        };
        while runtime.snapshot().await.is_some() {
            self.send(&Notification::Watchdog).await;
            sleep(watchdog / 2).await;
        }
    }

    /// Sends a notification, waiting while the manager's queue is full.
    async fn send(&self, notification: &Notification) {
        if let Err(error) = self.try_send(notification).await
            && !self.send_failed.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(%error, "cannot report to the service manager at NOTIFY_SOCKET");
        }
    }

    async fn try_send(&self, notification: &Notification) -> io::Result<()> {
        // Reconnects each time: a restarted manager has a new socket at the same address.
        let socket = Unconnected::unbound()?;
        socket.set_nonblocking(true)?;
        socket.connect_addr(&self.socket)?;
        let text = notification.to_message();
        UnixDatagram::from_std(socket)?
            .send(text.as_bytes())
            .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    fn manager(watchdog: Option<Duration>) -> (ServiceManager, Unconnected, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let socket = Unconnected::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        let address = SocketAddr::from_pathname(&path).unwrap();
        (ServiceManager::new(address, watchdog), socket, directory)
    }

    fn received(socket: &Unconnected) -> Vec<String> {
        let mut received = Vec::new();
        let mut bytes = [0; 4096];
        while let Ok(length) = socket.recv(&mut bytes) {
            received.push(String::from_utf8_lossy(&bytes[..length]).into_owned());
        }
        received
    }

    #[tokio::test(start_paused = true)]
    async fn an_actor_that_does_not_answer_gives_no_sign_of_life() {
        let (manager, socket, _directory) = manager(Some(Duration::from_secs(2)));
        let (runtime, _unread) = RuntimeHandle::new();
        let sending = tokio::time::timeout(10 * LIMIT, manager.send_keepalives(&runtime));
        assert!(sending.await.is_err(), "it gives up");
        assert_eq!(received(&socket), [""; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_actor_that_has_ended_gives_no_sign_of_life() {
        let (manager, socket, _directory) = manager(Some(Duration::from_secs(2)));
        let runtime = RuntimeHandle::new().0;
        let sending = tokio::time::timeout(LIMIT, manager.send_keepalives(&runtime));
        assert!(sending.await.is_ok(), "it goes on");
        assert_eq!(received(&socket), [""; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_actor_that_hangs_holds_up_neither_the_start_nor_the_end() {
        let (manager, socket, _directory) = manager(Some(Duration::from_secs(2)));
        let (runtime, _unread) = RuntimeHandle::new();
        let progress = ProgressReporter::new();
        progress.set_stopping(Instant::now() + LIMIT);
        progress.set_over();
        let running = manager.run(runtime, progress.subscribe(), CancellationToken::new());
        tokio::time::timeout(LIMIT, running).await.unwrap();
        let received = received(&socket);
        assert_eq!(received[0], "READY=1\n");
        assert!(received[1].starts_with("STOPPING=1\n"), "{received:?}");
        assert_eq!(received.len(), 2, "{received:?}");
    }

    #[tokio::test]
    async fn what_a_full_queue_holds_up_is_told_when_there_is_room_again() {
        let (manager, socket, _directory) = manager(None);
        let filling = Unconnected::unbound().unwrap();
        filling.connect_addr(&manager.socket).unwrap();
        filling.set_nonblocking(true).unwrap();
        while filling.send(b"X=1").is_ok() {}
        let send = manager.send(&Notification::Watchdog);
        let mut send = std::pin::pin!(send);
        let soon = Duration::from_millis(50);
        assert!(tokio::time::timeout(soon, &mut send).await.is_err());
        received(&socket);
        tokio::time::timeout(LIMIT, send).await.unwrap();
        assert_eq!(received(&socket), ["WATCHDOG=1\n"]);
    }
}
