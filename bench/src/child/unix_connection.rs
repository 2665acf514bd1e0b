//! A unix socket that only incoming bytes wake, as with llama-server. Registering the socket for
//! writing from the start would wake the child whenever the proxy reads.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};

use super::listener::ChildConnection;

#[derive(Debug)]
pub(super) struct UnixConnection {
    socket: AsyncFd<UnixStream>,
    /// The same socket, registered for writing after the first write that found no space.
    writes: Option<AsyncFd<UnixStream>>,
}

impl UnixConnection {
    pub(super) fn new(stream: tokio::net::UnixStream) -> io::Result<Self> {
        let socket = stream.into_std()?;
        Ok(Self {
            socket: register(socket, Interest::READABLE)?,
            writes: None,
        })
    }
}

impl ChildConnection for UnixConnection {
    fn into_blocking(self) -> io::Result<Box<dyn Write + Send>> {
        let stream = self.socket.into_inner();
        stream.set_nonblocking(false)?;
        Ok(Box::new(stream))
    }
}

#[expect(
    deprecated,
    reason = "wrong only for what gives its descriptor away; what is to replace it is unsafe"
)]
fn register(socket: UnixStream, interest: Interest) -> io::Result<AsyncFd<UnixStream>> {
    AsyncFd::with_interest(socket, interest)
}

impl AsyncRead for UnixConnection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.socket.poll_read_ready(cx))?;
            let to = buf.initialize_unfilled();
            if let Ok(read) = guard.try_io(|socket| socket.get_ref().read(to)) {
                let count = read?;
                if 0 < count && count < buf.remaining() {
                    guard.clear_ready();
                }
                buf.advance(count);
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for UnixConnection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let writes = match &mut this.writes {
            Some(writes) => writes,
            none => {
                let mut socket = this.socket.get_ref();
                match socket.write(bytes) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    written => return Poll::Ready(written),
                }
                let same = socket.try_clone()?;
                none.insert(register(same, Interest::WRITABLE)?)
            }
        };
        loop {
            let mut guard = ready!(writes.poll_write_ready(cx))?;
            if let Ok(written) = guard.try_io(|socket| socket.get_ref().write(bytes)) {
                return Poll::Ready(written);
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
