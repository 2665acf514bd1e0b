use super::connections::{Connections, Place};
use super::desk::Desk;
use super::refused::Refused;
use super::workers::{Accepted, Workers};
use paddock_admission::error::ProxyError;
use std::io;
use std::net::IpAddr;
use std::time::Duration;
use tokio::net::{TcpListener, UnixListener};
use tokio::time::{sleep, timeout};

/// Wait before accepting again when the system has no more file descriptors: connections end meanwhile.
const PAUSE: Duration = Duration::from_millis(50);

/// Longest time for idle connections to close that make room for others.
const CLOSING_TIME: Duration = Duration::from_millis(500);

/// A bound socket that takes clients' connections.
#[derive(Debug)]
pub enum Acceptor {
    /// A TCP listener.
    Tcp(TcpListener),
    /// A unix socket listener.
    Unix(UnixListener),
}

impl Acceptor {
    /// Hands each connection to the worker with the fewest. Runs until it is dropped: no error
    /// of a single connection, and no want of file descriptors, ends it.
    pub fn run(
        self,
        workers: &Workers,
        connections: Connections,
    ) -> impl Future<Output = ()> + use<> {
        let desks = workers.desks.clone();
        async move {
            let mut said = false;
            let mut refused = Refused::default();
            loop {
                let accepted = tokio::select! {
                    accepted = self.accept() => accepted,
                    () = refused.linger() => continue,
                };
                match accepted {
                    Ok((accepted, from)) => {
                        said = false;
                        match find_place(&desks, &connections, from).await {
                            // A worker that has ended serves nobody.
                            Ok(place) => {
                                let _ = Desk::hand_over(&desks, accepted, Some(place)).await;
                            }
                            Err(error) => {
                                connections.refuse();
                                refused.refuse(accepted, &error);
                            }
                        }
                    }
                    Err(error) => {
                        if !said {
                            tracing::warn!(%error, "cannot accept connections; retrying");
                        }
                        said = true;
                        sleep(PAUSE).await;
                    }
                }
            }
        }
    }

    /// Waits for a connection. Returns its client's address as well, where it has one.
    pub async fn accept(&self) -> io::Result<(Accepted, Option<IpAddr>)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, from) = listener.accept().await?;
                let accepted = stream.into_std().map(Accepted::Tcp)?;
                Ok((accepted, Some(from.ip())))
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                let accepted = stream.into_std().map(Accepted::Unix)?;
                Ok((accepted, None))
            }
        }
    }
}

/// Finds a place for a connection, if necessary that of connections that have been idle longest.
async fn find_place(
    desks: &[Desk],
    connections: &Connections,
    from: Option<IpAddr>,
) -> Result<Place, ProxyError> {
    let counted = connections.count(from).map_err(|most| {
        let most = most as usize;
        ProxyError::TooManyConnections {
            most,
            of_address: true,
        }
    })?;
    let counted = match connections.try_enter(counted) {
        Ok(place) => return Ok(place),
        Err(counted) => counted,
    };
    if Desk::close_idle(desks).await > 0
        && let Ok(Some(place)) = timeout(CLOSING_TIME, connections.enter(counted)).await
    {
        return Ok(place);
    }
    Err(ProxyError::TooManyConnections {
        most: connections.limit(),
        of_address: false,
    })
}
