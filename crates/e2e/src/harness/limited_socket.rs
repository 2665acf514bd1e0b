//! Wraps a blocking socket, TCP or unix, with a time limit on every call.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::{Address, LIMIT};

/// A connected socket. Every read and write fails after a time limit.
#[derive(Debug)]
pub(super) enum LimitedSocket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl LimitedSocket {
    pub(super) fn open(address: &Address) -> io::Result<Self> {
        let socket = match address {
            Address::Tcp(address) => {
                let stream = TcpStream::connect_timeout(address, LIMIT)?;
                stream.set_nodelay(true)?;
                Self::Tcp(stream)
            }
            Address::Unix(path) => Self::Unix(UnixStream::connect(path)?),
        };
        socket.limit(LIMIT)?;
        Ok(socket)
    }

    /// Sets the time limit of a call.
    pub(super) fn limit(&self, limit: Duration) -> io::Result<()> {
        let limit = Some(limit);
        match self {
            Self::Tcp(socket) => {
                socket.set_write_timeout(limit)?;
                socket.set_read_timeout(limit)
            }
            Self::Unix(socket) => {
                socket.set_write_timeout(limit)?;
                socket.set_read_timeout(limit)
            }
        }
    }

    /// Reads available bytes; 0 means the end.
    pub(super) fn read(&self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let taken = match self {
                Self::Tcp(socket) => (&*socket).read(into),
                Self::Unix(socket) => (&*socket).read(into),
            };
            match taken {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                taken => return taken,
            }
        }
    }

    pub(super) fn write_all(&self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => (&*socket).write_all(bytes),
            Self::Unix(socket) => (&*socket).write_all(bytes),
        }
    }

    pub(super) fn close_sending(&self) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.shutdown(Shutdown::Write),
            Self::Unix(socket) => socket.shutdown(Shutdown::Write),
        }
    }
}
