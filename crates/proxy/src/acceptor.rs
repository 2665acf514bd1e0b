//! Accepts clients' connections and assigns each to a worker: a thread that serves the connection to its end.

use super::connection_limiter::{ConnectionLimiter, ConnectionPermit};
use super::refused_connections::RefusedConnections;
use super::worker::handle::WorkerHandle;
use super::worker::threads::{AcceptedConnection, WorkerThreads};
use paddock_admission::error::ProxyError;
use std::io;
use std::net::IpAddr;
use std::time::Duration;
use tokio::net::{TcpListener, UnixListener};
use tokio::time::{sleep, timeout};

/// Pause after a failed accept. The usual cause is a lack of file descriptors, and connections that end meanwhile
/// free some.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// Longest wait until the workers have closed idle connections, so that a new one fits within the limit.
const CLOSE_IDLE_TIMEOUT: Duration = Duration::from_millis(500);

/// A bound socket that takes clients' connections.
#[derive(Debug)]
pub enum Acceptor {
    /// A TCP listener.
    Tcp(TcpListener),
    /// A unix socket listener.
    Unix(UnixListener),
}

impl Acceptor {
    /// Assigns each connection to the worker with the fewest connections. Runs until dropped: neither an error of a
    /// single connection nor a lack of file descriptors ends the loop.
    pub fn run(
        self,
        workers: &WorkerThreads,
        connections: ConnectionLimiter,
    ) -> impl Future<Output = ()> + use<> {
        let handles = workers.handles.clone();
        async move {
            let mut has_warned = false;
            let mut refused = RefusedConnections::default();
            loop {
                let accepted = tokio::select! {
                    accepted = self.accept() => accepted,
                    () = refused.linger() => continue,
                };
                match accepted {
                    Ok((accepted, from)) => {
                        has_warned = false;
                        match acquire_permit(&handles, &connections, from).await {
                            // Fails only if the worker has ended; the connection closes then.
                            Ok(permit) => {
                                let _ =
                                    WorkerHandle::assign(&handles, accepted, Some(permit)).await;
                            }
                            Err(error) => {
                                connections.count_refusal();
                                refused.refuse(accepted, &error);
                            }
                        }
                    }
                    Err(error) => {
                        if !has_warned {
                            tracing::warn!(%error, "cannot accept connections; retrying");
                        }
                        has_warned = true;
                        sleep(RETRY_INTERVAL).await;
                    }
                }
            }
        }
    }

    /// Waits for a connection. Returns the client's address too, if the connection is over TCP.
    pub async fn accept(&self) -> io::Result<(AcceptedConnection, Option<IpAddr>)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, from) = listener.accept().await?;
                let accepted = stream.into_std().map(AcceptedConnection::Tcp)?;
                Ok((accepted, Some(from.ip())))
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                let accepted = stream.into_std().map(AcceptedConnection::Unix)?;
                Ok((accepted, None))
            }
        }
    }
}

/// Acquires a permit for a connection, closing idle connections if there is no free one.
async fn acquire_permit(
    handles: &[WorkerHandle],
    connections: &ConnectionLimiter,
    from: Option<IpAddr>,
) -> Result<ConnectionPermit, ProxyError> {
    let counted = connections.admit_address(from).map_err(|most| {
        let most = most as usize;
        ProxyError::TooManyConnections {
            max: most,
            per_address: true,
        }
    })?;
    let counted = match connections.try_acquire(counted) {
        Ok(permit) => return Ok(permit),
        Err(counted) => counted,
    };
    if WorkerHandle::close_idle(handles).await > 0
        && let Ok(Some(permit)) = timeout(CLOSE_IDLE_TIMEOUT, connections.acquire(counted)).await
    {
        return Ok(permit);
    }
    Err(ProxyError::TooManyConnections {
        max: connections.limit(),
        per_address: false,
    })
}
