//! Serves the admin plane, the routes for operators (admin API and dashboard), on a limited number of connections.
//!
//! At the limit, a new connection replaces the one that has been idle longest, so that idle connections cannot lock the
//! operator out.

mod linger;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::http::Request;
use bytes::Bytes;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use paddock_proxy::linger_limits::LingerLimits;
use paddock_proxy::{AcceptedConnection, Acceptor};
use std::convert::Infallible;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// Longest time for a request's head to arrive, and for a connection to stay open without a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Shortest time without a request after which a connection may be closed to admit a new one.
const MIN_IDLE_TIME: Duration = Duration::from_millis(500);

/// Longest wait for an idle connection to close. After that, the new connection is refused.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// Wait before accepting again after an error such as a lack of file descriptors: connections end meanwhile.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// The connections of the admin plane, on all of its addresses.
#[derive(Debug, Clone)]
pub(crate) struct AdminConnections {
    /// Permits for further connections.
    free: Arc<Semaphore>,
    /// Open connections; dropped ones are removed later.
    open: Arc<Mutex<Vec<Weak<ConnectionActivity>>>>,
}

/// A connection's activity, shared with the tasks that may close it.
#[derive(Debug)]
struct ConnectionActivity {
    /// Requests whose answers have not ended.
    requests: AtomicUsize,
    idle_since: Mutex<Instant>,
    /// Set once the connection has been chosen to close.
    closes: AtomicBool,
    /// Tells the connection's task to close.
    close: Notify,
}

/// Counts a request of a connection until its answer has ended.
struct RequestGuard(Arc<ConnectionActivity>);

impl AdminConnections {
    /// Creates a counter that admits `limit` connections.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            free: Arc::new(Semaphore::new(limit)),
            open: Arc::default(),
        }
    }

    /// Admits a connection, closing the one that has been idle longest if necessary. Returns `None` if every
    /// connection is busy.
    async fn admit(&self) -> Option<(OwnedSemaphorePermit, Arc<ConnectionActivity>)> {
        let permit = if let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() {
            permit
        } else {
            self.close_idlest()?;
            let freed = Arc::clone(&self.free).acquire_owned();
            timeout(CLOSE_TIMEOUT, freed).await.ok()?.ok()?
        };
        let activity = Arc::new(ConnectionActivity::new());
        let mut open = lock(&self.open);
        open.retain(|open| open.strong_count() > 0);
        open.push(Arc::downgrade(&activity));
        drop(open);
        Some((permit, activity))
    }

    /// Closes the connection that has been without a request longest.
    fn close_idlest(&self) -> Option<()> {
        let open: Vec<Arc<ConnectionActivity>> =
            lock(&self.open).iter().filter_map(Weak::upgrade).collect();
        let idle = open
            .iter()
            .filter_map(|open| Some((open.idle_since()?, open)));
        let (since, idlest) = idle.min_by_key(|(since, _)| *since)?;
        if since.elapsed() < MIN_IDLE_TIME {
            return None;
        }
        idlest.closes.store(true, Ordering::Relaxed);
        idlest.close.notify_one();
        Some(())
    }
}

impl ConnectionActivity {
    fn new() -> Self {
        Self {
            requests: AtomicUsize::new(0),
            idle_since: Mutex::new(Instant::now()),
            closes: AtomicBool::new(false),
            close: Notify::new(),
        }
    }

    fn idle_since(&self) -> Option<Instant> {
        let is_idle = self.requests.load(Ordering::Relaxed) == 0;
        let closes = self.closes.load(Ordering::Relaxed);
        (is_idle && !closes).then(|| *lock(&self.idle_since))
    }
}

impl RequestGuard {
    fn new(activity: Arc<ConnectionActivity>) -> Self {
        activity.requests.fetch_add(1, Ordering::Relaxed);
        Self(activity)
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        *lock(&self.0.idle_since) = Instant::now();
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An answer's body, which holds the request's guard to its end.
struct GuardedBody {
    body: Body,
    _busy: RequestGuard,
}

impl HttpBody for GuardedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Serves connections until `open` completes, then waits for the last answers.
pub(crate) async fn serve(
    acceptor: Acceptor,
    router: Router,
    connections: AdminConnections,
    open: impl Future<Output = ()> + Send + 'static,
) {
    let mut open = pin!(open);
    let closing = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let mut warned = false;
    loop {
        let accepted = tokio::select! {
            () = &mut open => break,
            Some(_) = tasks.join_next() => continue,
            accepted = acceptor.accept() => accepted,
        };
        let accepted = match accepted {
            Ok((accepted, _)) => accepted,
            Err(error) => {
                tracing::debug!(%error, "the admin plane cannot accept a connection; retrying");
                sleep(RETRY_INTERVAL).await;
                continue;
            }
        };
        let Some(admitted) = connections.admit().await else {
            if !warned {
                tracing::warn!(
                    "the admin plane has reached its connection limit; closing new connections"
                );
            }
            warned = true;
            continue;
        };
        warned = false;
        let (router, closing) = (router.clone(), closing.clone());
        tasks.spawn(async move {
            let (_permit, activity) = admitted;
            if let Err(error) = serve_accepted(accepted, router, activity, closing).await {
                tracing::debug!(%error, "a connection to the admin plane ended");
            }
        });
    }
    closing.cancel();
    while tasks.join_next().await.is_some() {}
}

async fn serve_accepted(
    accepted: AcceptedConnection,
    router: Router,
    activity: Arc<ConnectionActivity>,
    closing: CancellationToken,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    match accepted {
        AcceptedConnection::Tcp(stream) => {
            // Events are small and must not wait for more data.
            stream.set_nodelay(true)?;
            let stream = TcpStream::from_std(stream)?;
            serve_connection(stream, router, activity, closing).await
        }
        AcceptedConnection::Unix(stream) | AcceptedConnection::InProcess(stream) => {
            let stream = UnixStream::from_std(stream)?;
            serve_connection(stream, router, activity, closing).await
        }
    }
}

async fn serve_connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    activity: Arc<ConnectionActivity>,
    closing: CancellationToken,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let answering = Arc::clone(&activity);
    let service = service_fn(move |request: Request<Incoming>| {
        let (router, busy) = (router.clone(), RequestGuard::new(Arc::clone(&answering)));
        Box::pin(async move {
            let answer = router.oneshot(request.map(Body::new)).await?;
            Ok::<_, Infallible>(answer.map(|body| GuardedBody { body, _busy: busy }))
        })
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    let idle = || activity.requests.load(Ordering::Relaxed) == 0;
    let limits = tokio::select! {
        served = poll_fn(|cx| connection.poll_without_shutdown(cx)) => {
            served?;
            LingerLimits::SERVING
        }
        () = activity.close.notified(), if idle() => return Ok(()),
        () = closing.cancelled() => {
            if idle() {
                return Ok(());
            }
            Pin::new(&mut connection).graceful_shutdown();
            poll_fn(|cx| connection.poll_without_shutdown(cx)).await?;
            LingerLimits::STOPPING
        }
    };
    let stream = connection.into_parts().io.into_inner();
    tokio::select! {
        () = linger::close(stream, limits) => {}
        () = activity.close.notified(), if idle() => {}
        () = closing.cancelled(), if limits == LingerLimits::SERVING => {}
    }
    Ok(())
}

/// Locks a mutex, ignoring poison: no critical section can leave a partial change.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_a_whole_head_is_closed() {
        for words in [
            "",
            "GET / HTTP/1.1\r\nHo",
            "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        ] {
            let (mut client, ours) = duplex(1024);
            client.write_all(words.as_bytes()).await.unwrap();
            let start = Instant::now();
            let activity = Arc::new(ConnectionActivity::new());
            let served = serve_connection(ours, Router::new(), activity, CancellationToken::new());
            let limit = timeout(2 * HEAD_TIMEOUT, served).await;
            assert!(limit.is_ok(), "it stays open: {words}");
            assert!(start.elapsed() >= HEAD_TIMEOUT);
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            assert_eq!(
                answer.contains("404"),
                words.ends_with("\r\n\r\n"),
                "{answer}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_what_nobody_reads_gets_its_answer() {
        let start = Instant::now();
        let (mut client, ours) = duplex(1024);
        let activity = Arc::new(ConnectionActivity::new());
        let serving = serve_connection(ours, Router::new(), activity, CancellationToken::new());
        let sending = async {
            let head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 50000000\r\n\r\n";
            client.write_all(head.as_bytes()).await.unwrap();
            let mut taken = 0;
            let piece = vec![b'x'; 100_000];
            while taken < 20_000_000 && client.write_all(&piece).await.is_ok() {
                taken += piece.len();
            }
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
            drop(client);
            taken
        };
        let (served, taken) = tokio::join!(timeout(2 * HEAD_TIMEOUT, serving), sending);
        assert!(served.is_ok(), "it stays open");
        assert_eq!(taken, 20_000_000);
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn the_idlest_connection_makes_room_and_a_busy_one_never() {
        let connections = AdminConnections::new(1);
        let (permit, activity) = connections.admit().await.unwrap();
        assert!(connections.admit().await.is_none(), "it has only begun");
        sleep(2 * MIN_IDLE_TIME).await;
        let busy = RequestGuard::new(Arc::clone(&activity));
        assert!(connections.admit().await.is_none(), "it is busy");
        drop(busy);
        sleep(2 * MIN_IDLE_TIME).await;
        let closing = async {
            activity.close.notified().await;
            drop(permit);
        };
        let (admitted, ()) = tokio::join!(connections.admit(), closing);
        assert!(admitted.is_some());
    }
}
