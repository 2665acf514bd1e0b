//! Byte streams to clients and upstreams.

mod socket;

pub(crate) use socket::Socket;

use paddock_supervisor::{Address, ChildProcesses};
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, sleep};

/// A connection to a client or an upstream.
#[derive(Debug)]
pub enum Stream {
    /// A socket.
    Socket(Socket),
    /// An in-memory pipe.
    #[cfg(test)]
    Memory(tokio::io::DuplexStream),
}

/// Longest connection attempt.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

impl Stream {
    /// Returns the peer's IP address, if it has one.
    pub(super) fn peer_ip(&self) -> Option<IpAddr> {
        match self {
            Self::Socket(socket) => socket.peer_ip(),
            #[cfg(test)]
            Self::Memory(_) => None,
        }
    }

    /// Returns true if the connection goes to a loopback address of this machine.
    pub(super) fn is_over_loopback(&self) -> bool {
        match self {
            Self::Socket(socket) => socket.is_over_loopback(),
            #[cfg(test)]
            Self::Memory(_) => false,
        }
    }

    /// Reads once, at most `room` bytes. Calls `to` for the destination only when there are bytes. `Ok(0)` is
    /// the end of the stream, or no room.
    pub(super) fn poll_read_into<'a>(
        &mut self,
        cx: &mut Context<'_>,
        to: impl FnOnce() -> &'a mut Vec<u8>,
        room: usize,
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Socket(socket) => socket.poll_read_into(cx, to, room),
            #[cfg(test)]
            Self::Memory(stream) => {
                let to = &mut bytes::BufMut::limit(to(), room);
                tokio_util::io::poll_read_buf(Pin::new(stream), cx, to)
            }
        }
    }

    /// Releases what only a blocked write needs, for a connection that becomes idle.
    pub(super) fn release_write_registration(&mut self) {
        match self {
            Self::Socket(socket) => socket.release_write_registration(),
            #[cfg(test)]
            Self::Memory(_) => {}
        }
    }

    /// Makes the next close a reset, so that a client which takes a close for the response's end learns that
    /// it is not.
    pub(super) fn reset_on_close(&self) {
        match self {
            Self::Socket(socket) => socket.reset_on_close(),
            #[cfg(test)]
            Self::Memory(_) => {}
        }
    }

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
                    Socket::tcp(stream).map(Self::Socket)
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
async fn connect_unix(
    path: &std::path::Path,
    processes: Option<&ChildProcesses>,
) -> io::Result<Stream> {
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
                return Socket::unix(stream.into_std()?).map(Stream::Socket);
            }
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Socket(socket) => Pin::new(socket).poll_read(cx, buf),
            #[cfg(test)]
            Self::Memory(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Socket(socket) => Pin::new(socket).poll_write(cx, buf),
            #[cfg(test)]
            Self::Memory(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Sockets buffer nothing.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Socket(socket) => Pin::new(socket).poll_shutdown(cx),
            #[cfg(test)]
            Self::Memory(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
