use super::desk::Desk;
use super::workers::{Accepted, Workers};
use std::io;
use std::time::Duration;
use tokio::net::{TcpListener, UnixListener};
use tokio::time::sleep;

/// How long to wait when the system has no more file descriptors: connections end meanwhile.
const PAUSE: Duration = Duration::from_millis(50);

/// A bound socket that takes clients' connections.
#[derive(Debug)]
pub(crate) enum Acceptor {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Acceptor {
    /// Hands each connection to the worker with the fewest. Runs until it is dropped: no error
    /// of a single connection, and no want of file descriptors, ends it.
    pub(crate) fn run(self, workers: &Workers) -> impl Future<Output = ()> + use<> {
        let desks = workers.desks.clone();
        async move {
            let mut said = false;
            loop {
                match self.accept().await {
                    Ok(accepted) => {
                        said = false;
                        // A worker that has ended serves nobody.
                        let _ = Desk::hand_over(&desks, accepted).await;
                    }
                    Err(error) => {
                        if !said {
                            tracing::warn!(%error, "cannot accept connections; trying on");
                        }
                        said = true;
                        sleep(PAUSE).await;
                    }
                }
            }
        }
    }

    async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.into_std().map(Accepted::Tcp)
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.into_std().map(Accepted::Unix)
            }
        }
    }
}
