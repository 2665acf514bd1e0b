//! Opens connections to upstreams.

use super::Stream;
use paddock_supervisor::{Address, ChildProcesses};
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, sleep};

/// Longest connection attempt.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

impl Stream {
    /// Connects to an upstream, and refuses a unix socket of any process except `processes`.
    ///
    /// # Errors
    /// The system's error, `TimedOut` after 5 s, or `PermissionDenied` if another process listens.
    pub async fn connect(
        address: &Address,
        processes: Option<&ChildProcesses>,
    ) -> io::Result<Self> {
        let deadline = Instant::now() + CONNECT_TIMEOUT;
        let connecting = async {
            match address {
                Address::Unix(path) => connect_unix(path, processes).await,
                Address::Tcp(address) => {
                    let stream = TcpStream::connect(address).await?.into_std()?;
                    Self::tcp(stream)
                }
            }
        };
        match tokio::time::timeout_at(deadline, connecting).await {
            Ok(connected) => connected,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

/// Connects to a unix socket. A full backlog answers `WouldBlock` instead of blocking the caller (connect(2),
/// EAGAIN), so this function retries.
async fn connect_unix(path: &Path, processes: Option<&ChildProcesses>) -> io::Result<Stream> {
    let mut pause = Duration::from_millis(1);
    loop {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                sleep(pause).await;
                pause = (pause * 2).min(Duration::from_millis(50));
            }
            connected => {
                let stream = connected?;
                if let Some(processes) = processes {
                    processes.verify(&stream)?;
                }
                return Stream::unix(stream.into_std()?);
            }
        }
    }
}
