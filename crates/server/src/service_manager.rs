//! What a service manager is told of paddock: the protocol of `sd_notify(3)`.
//!
//! Three things are told, and none waits for another: the [`Course`] of the service, a line of status for
//! people, and that the runtime actor is alive. A manager that does not read delays only what it is told.

mod course;
mod environment;
mod line;
mod telling;
mod word;

pub(crate) use course::Teller;
pub(crate) use telling::Telling;

use course::Course;
use line::Counts;
use paddock_runtime::RuntimeHandle;
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
use word::Word;

/// The least time between two looks at what the status is.
const STATUS_EVERY: Duration = Duration::from_secs(1);

/// A service manager that wants to be told how paddock is.
#[derive(Debug)]
pub struct ServiceManager {
    socket: SocketAddr,
    /// How long it goes without a sign of life before it restarts paddock.
    watchdog: Option<Duration>,
    /// It could not be told something, and the log says so.
    deaf: AtomicBool,
}

impl ServiceManager {
    /// Finds the manager that this process was started by, in `NOTIFY_SOCKET`, `WATCHDOG_USEC` and
    /// `WATCHDOG_PID`. What is wrong with these is logged, and paddock goes on without.
    pub fn from_env() -> Option<Self> {
        let (manager, wrong) = environment::read(|name| std::env::var_os(name), process::id());
        for wrong in wrong {
            tracing::warn!("{wrong}");
        }
        manager
    }

    fn new(socket: SocketAddr, watchdog: Option<Duration>) -> Self {
        Self {
            socket,
            watchdog,
            deaf: AtomicBool::new(false),
        }
    }

    /// Tells all there is until the service is over, or until it is silenced.
    pub(crate) async fn tell(
        self,
        runtime: RuntimeHandle,
        course: watch::Receiver<Course>,
        silenced: CancellationToken,
    ) {
        let besides = async {
            tokio::join!(
                self.tell_status(&runtime, course.clone()),
                self.tell_of_life(&runtime)
            );
            future::pending::<()>().await;
        };
        tokio::select! {
            () = self.tell_course(course.clone()) => {}
            () = besides => {}
            () = silenced.cancelled() => {}
        }
    }

    async fn tell_course(&self, mut course: watch::Receiver<Course>) {
        let mut told = None;
        loop {
            let now = *course.borrow_and_update();
            for word in course::owed(told, now, Instant::now()) {
                self.send(&word).await;
            }
            told = Some(now);
            if now.is_over() || course.changed().await.is_err() {
                return;
            }
        }
    }

    /// Says what has changed, and nothing while nothing does. Ends with the actor.
    async fn tell_status(&self, runtime: &RuntimeHandle, mut course: watch::Receiver<Course>) {
        let mut changes = runtime.changes();
        let mut told = String::new();
        loop {
            changes.borrow_and_update();
            let now = *course.borrow_and_update();
            let Some(view) = runtime.snapshot().await else {
                return;
            };
            let line = Counts::of(&view).line(now);
            if line != told {
                self.send(&Word::Status(line.clone())).await;
                told = line;
            }
            sleep(STATUS_EVERY).await;
            let changed = tokio::select! {
                changed = changes.changed() => changed,
                changed = course.changed() => changed,
            };
            if changed.is_err() {
                return;
            }
        }
    }

    /// Gives a sign of life each time that the actor has answered, twice in the time the manager waits
    /// for one. An actor that hangs gives none, nor does one that has ended.
    async fn tell_of_life(&self, runtime: &RuntimeHandle) {
        let Some(watchdog) = self.watchdog else {
            return;
        };
        while runtime.snapshot().await.is_some() {
            self.send(&Word::Alive).await;
            sleep(watchdog / 2).await;
        }
    }

    /// Says one thing. Waits while the manager's queue is full.
    async fn send(&self, word: &Word) {
        if let Err(error) = self.try_send(word).await
            && !self.deaf.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(%error, "the service manager at NOTIFY_SOCKET cannot be told how paddock is");
        }
    }

    async fn try_send(&self, word: &Word) -> io::Result<()> {
        // Connected anew each time: a manager that began again has another socket there.
        let socket = Unconnected::unbound()?;
        socket.set_nonblocking(true)?;
        socket.connect_addr(&self.socket)?;
        let text = word.text();
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

    fn told(socket: &Unconnected) -> Vec<String> {
        let mut told = Vec::new();
        let mut bytes = [0; 4096];
        while let Ok(length) = socket.recv(&mut bytes) {
            told.push(String::from_utf8_lossy(&bytes[..length]).into_owned());
        }
        told
    }

    #[tokio::test(start_paused = true)]
    async fn an_actor_that_does_not_answer_gives_no_sign_of_life() {
        let (manager, socket, _directory) = manager(Some(Duration::from_secs(2)));
        let (runtime, _unread) = RuntimeHandle::new();
        let told_of = tokio::time::timeout(10 * LIMIT, manager.tell_of_life(&runtime));
        assert!(told_of.await.is_err(), "it gives up");
        assert_eq!(told(&socket), [""; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_actor_that_has_ended_gives_no_sign_of_life() {
        let (manager, socket, _directory) = manager(Some(Duration::from_secs(2)));
        let runtime = RuntimeHandle::new().0;
        let telling = tokio::time::timeout(LIMIT, manager.tell_of_life(&runtime));
        assert!(telling.await.is_ok(), "it goes on");
        assert_eq!(told(&socket), [""; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_actor_that_hangs_holds_up_neither_the_start_nor_the_end() {
        let (manager, socket, _directory) = manager(Some(Duration::from_secs(2)));
        let (runtime, _unread) = RuntimeHandle::new();
        let course = Teller::new();
        course.stopping(Instant::now() + LIMIT);
        course.over();
        let telling = manager.tell(runtime, course.subscribe(), CancellationToken::new());
        tokio::time::timeout(LIMIT, telling).await.unwrap();
        let told = told(&socket);
        assert_eq!(told[0], "READY=1\n");
        assert!(told[1].starts_with("STOPPING=1\n"), "{told:?}");
        assert_eq!(told.len(), 2, "{told:?}");
    }

    #[tokio::test]
    async fn what_a_full_queue_holds_up_is_told_when_there_is_room_again() {
        let (manager, socket, _directory) = manager(None);
        let filling = Unconnected::unbound().unwrap();
        filling.connect_addr(&manager.socket).unwrap();
        filling.set_nonblocking(true).unwrap();
        while filling.send(b"X=1").is_ok() {}
        let send = manager.send(&Word::Alive);
        let mut send = std::pin::pin!(send);
        let soon = Duration::from_millis(50);
        assert!(tokio::time::timeout(soon, &mut send).await.is_err());
        told(&socket);
        tokio::time::timeout(LIMIT, send).await.unwrap();
        assert_eq!(told(&socket), ["WATCHDOG=1\n"]);
    }
}
