//! Wraps listeners and connections, TCP or unix.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::RecvFlags;

use super::clock;

/// A listening socket.
#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    /// Binds an address of `--host`. Binding fails if the file of a unix socket exists, even a
    /// stale one.
    pub(super) fn bind(host: &str, port: u16) -> io::Result<Self> {
        if is_unix(host) {
            UnixListener::bind(host).map(Self::Unix)
        } else {
            TcpListener::bind((host, port)).map(Self::Tcp)
        }
    }

    /// Returns the address as logged, with the bound port.
    pub(super) fn address(&self, host: &str) -> String {
        match self {
            Self::Tcp(listener) => {
                let port = listener.local_addr().map_or(0, |at| at.port());
                format!("http://{host}:{port}")
            }
            Self::Unix(_) => format!("unix://{host}"),
        }
    }

    pub(super) fn accept(&self) -> io::Result<Socket> {
        match self {
            Self::Tcp(listener) => {
                let (socket, _) = listener.accept()?;
                socket.set_nodelay(true)?;
                Ok(Socket::Tcp(socket))
            }
            Self::Unix(listener) => listener.accept().map(|(socket, _)| Socket::Unix(socket)),
        }
    }

    /// Stops listening: a blocked `accept` fails at once, and new clients are refused.
    pub(super) fn stop(&self) {
        let _ = rustix::net::shutdown(self, rustix::net::Shutdown::Both);
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener) => listener.as_fd(),
        }
    }
}

/// Returns true if an address of `--host` is a unix socket.
pub(super) fn is_unix(host: &str) -> bool {
    host.as_bytes().ends_with(b".sock")
}

/// A connection.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(socket) => socket.as_fd(),
            Self::Unix(socket) => socket.as_fd(),
        }
    }
}

impl Socket {
    pub(super) fn read(&self, into: &mut [u8]) -> io::Result<usize> {
        retry_interrupted(|| match self {
            Self::Tcp(socket) => (&*socket).read(into),
            Self::Unix(socket) => (&*socket).read(into),
        })
    }

    /// Writes as much as the socket accepts in one call, at least a byte.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        retry_interrupted(|| match self {
            Self::Tcp(socket) => (&*socket).write(bytes),
            Self::Unix(socket) => (&*socket).write(bytes),
        })
    }

    pub(super) fn write_all(&self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => (&*socket).write_all(bytes),
            Self::Unix(socket) => (&*socket).write_all(bytes),
        }
    }

    /// Waits for bytes or the end of the stream. Returns false if neither arrives in this time.
    pub(super) fn readable_within(&self, time: Duration) -> bool {
        let time = Timespec::try_from(time).ok();
        let mut sockets = [PollFd::new(self, PollFlags::IN)];
        poll(&mut sockets, time.as_ref()).is_ok_and(|ready| ready > 0)
    }

    /// Returns true if the client has closed its side. Bytes of another request show that it has
    /// not.
    pub(super) fn client_is_gone(&self) -> bool {
        if !self.readable_within(Duration::ZERO) {
            return false;
        }
        let mut byte = [0; 1];
        match rustix::net::recv(self, &mut byte[..], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Ok((taken, _)) => taken == 0,
            Err(error) => !matches!(error, Errno::AGAIN | Errno::INTR),
        }
    }

    /// Closes the connection as the real server does: closes its own side, then reads for up to 100
    /// ms, so that a reset does not discard the response.
    pub(super) fn close(&self) {
        const DRAIN_TIMEOUT: Duration = Duration::from_millis(100);
        const MAX_DRAINED_BYTES: usize = 1 << 20;
        self.shutdown(Shutdown::Write);
        let start = clock::now();
        let mut buffer = vec![0; 16 << 10];
        let mut drained = 0;
        while drained < MAX_DRAINED_BYTES {
            let left = DRAIN_TIMEOUT.saturating_sub(start.elapsed());
            if left.is_zero() || !self.readable_within(left) {
                break;
            }
            match self.read(&mut buffer) {
                Ok(taken) if taken > 0 => drained += taken,
                Ok(_) | Err(_) => break,
            }
        }
        self.shutdown(Shutdown::Both);
    }

    fn shutdown(&self, how: Shutdown) {
        let _ = match self {
            Self::Tcp(socket) => socket.shutdown(how),
            Self::Unix(socket) => socket.shutdown(how),
        };
    }
}

/// Repeats a call interrupted by a signal.
fn retry_interrupted(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}
