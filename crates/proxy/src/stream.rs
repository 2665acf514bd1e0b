//! Byte streams to clients and upstreams: sockets that wake their task when bytes arrive, but not when the peer
//! reads.

mod connect;

use bytes::BufMut;
use rustix::buffer::{Buffer, spare_capacity};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio_util::io::poll_read_buf;

/// A connection to a client or an upstream, over TCP or a unix socket.
///
/// Writes at once, and waits only if the socket buffer is full.
#[derive(Debug)]
pub struct Stream {
    socket: AsyncFd<OwnedFd>,
    write_readiness: WriteReadiness,
}

/// Registration for the socket buffer having room again.
#[derive(Debug)]
enum WriteReadiness {
    /// TCP reports room only after a write has found none: registered for reading and writing.
    Registered,
    /// Linux reports a unix socket as writable each time the peer reads, even if the buffer was never full
    /// (`unix_write_space` in `net/unix/af_unix.c`): a request would wake its worker once more when the child
    /// reads it. So the socket is registered for reading alone, and a duplicate for writing from the first
    /// write that finds no room.
    OnDemand(Option<Box<AsyncFd<OwnedFd>>>),
}

impl Stream {
    /// Registers a TCP connection with this runtime. Disables Nagle's algorithm: an event must not wait for
    /// the next.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn tcp(stream: TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            socket: register(stream.into(), Interest::READABLE | Interest::WRITABLE)?,
            write_readiness: WriteReadiness::Registered,
        })
    }

    /// Registers a unix socket connection with this runtime.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn unix(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self {
            socket: register(stream.into(), Interest::READABLE)?,
            write_readiness: WriteReadiness::OnDemand(None),
        })
    }

    /// Returns the peer's IP address, if it has one.
    pub(super) fn peer_ip(&self) -> Option<IpAddr> {
        let peer = rustix::net::getpeername(&self.socket).ok()??;
        SocketAddr::try_from(peer).ok().map(|at| at.ip())
    }

    /// Returns true for a TCP connection to a loopback address of this machine.
    pub(super) fn is_over_loopback(&self) -> bool {
        let local = rustix::net::getsockname(&self.socket).ok();
        let local = local.and_then(|at| SocketAddr::try_from(at).ok());
        local.is_some_and(|at| at.ip().to_canonical().is_loopback())
    }

    /// Makes the next close a reset.
    pub(super) fn reset_on_close(&self) {
        // If the system refuses, the close is a plain one.
        let _ = rustix::net::sockopt::set_socket_linger(&self.socket, Some(Duration::ZERO));
    }

    /// Reads once, at most `room` bytes. Calls `to` for the destination only when there are bytes. `Ok(0)` is
    /// the end of the stream, or no room.
    pub(super) fn poll_read_into<'a>(
        &mut self,
        cx: &mut Context<'_>,
        to: impl FnOnce() -> &'a mut Vec<u8>,
        room: usize,
    ) -> Poll<io::Result<usize>> {
        let mut guard = ready!(self.socket.poll_read_ready(cx))?;
        let to = to();
        let spare = to.capacity() - to.len();
        if spare <= room {
            match receive(&mut guard, spare_capacity(to), spare) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                read => return Poll::Ready(Ok(read?)),
            }
        }
        poll_read_buf(Pin::new(self), cx, &mut to.limit(room))
    }

    /// Drops the duplicate that a blocked write has registered.
    pub(super) fn release_write_registration(&mut self) {
        if let WriteReadiness::OnDemand(asked) = &mut self.write_readiness {
            *asked = None;
        }
    }

    /// Writes once there is room, after a write that found none.
    fn poll_room(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let socket = match &mut self.write_readiness {
            WriteReadiness::Registered => &self.socket,
            WriteReadiness::OnDemand(Some(asked)) => &**asked,
            WriteReadiness::OnDemand(none) => {
                let same = self.socket.get_ref().try_clone()?;
                none.insert(Box::new(register(same, Interest::WRITABLE)?))
            }
        };
        loop {
            let mut guard = ready!(socket.poll_write_ready(cx))?;
            if let Ok(sent) = guard.try_io(|socket| send(socket.get_ref(), bytes)) {
                return Poll::Ready(sent);
            }
        }
    }
}

/// Tries to read once.
fn receive(
    guard: &mut AsyncFdReadyGuard<'_, OwnedFd>,
    to: impl Buffer<u8>,
    room: usize,
) -> Result<usize, Errno> {
    let read = rustix::net::recv(guard.get_inner(), to, RecvFlags::empty());
    let read = read.map(|(_, count)| count);
    // A read that did not fill its room has emptied the socket, and the next arrival is reported again.
    if read == Err(Errno::AGAIN) || read.is_ok_and(|count| 0 < count && count < room) {
        guard.clear_ready();
    }
    read
}

/// Prevents SIGPIPE when the other side has closed the connection. Apple's systems have no such flag; there, the signal
/// is ignored, as Rust's runtime sets it up before `main`.
#[cfg(not(target_vendor = "apple"))]
pub(crate) const NO_SIGNAL: SendFlags = SendFlags::NOSIGNAL;
#[cfg(target_vendor = "apple")]
pub(crate) const NO_SIGNAL: SendFlags = SendFlags::empty();

fn send(socket: &OwnedFd, bytes: &[u8]) -> io::Result<usize> {
    Ok(rustix::io::retry_on_intr(|| {
        rustix::net::send(socket, bytes, NO_SIGNAL)
    })?)
}

#[expect(
    deprecated,
    reason = "wrong only for what gives its descriptor away; what is to replace it is unsafe"
)]
fn register(socket: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(socket, interest)
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            let mut guard = ready!(this.socket.poll_read_ready(cx))?;
            let to = buf.initialize_unfilled();
            let room = to.len();
            match receive(&mut guard, to, room) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                Ok(count) => {
                    buf.advance(count);
                    return Poll::Ready(Ok(()));
                }
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let is_waiting = matches!(this.write_readiness, WriteReadiness::OnDemand(Some(_)));
        if !is_waiting {
            match send(this.socket.get_ref(), bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                sent => return Poll::Ready(sent),
            }
        }
        this.poll_room(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A socket buffers nothing.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(rustix::net::shutdown(&self.socket, Shutdown::Write)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::sockopt;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::task::Waker;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// Longest wait for room that must be there.
    const LIMIT: Duration = Duration::from_secs(20);

    /// Socket buffer of each end of a TCP connection, in bytes.
    const BUFFER: usize = 64 * 1024;

    /// Returns a connection, and its blocking other end.
    fn pair() -> (Stream, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Stream::unix(ours).unwrap(), theirs)
    }

    /// Returns a TCP connection, and its blocking other end.
    fn tcp_pair() -> (Stream, TcpStream) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let theirs = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (ours, _) = listener.accept().unwrap();
        // By default the kernel grows them, perhaps beyond what a test sends.
        sockopt::set_socket_send_buffer_size(&ours, BUFFER).unwrap();
        sockopt::set_socket_recv_buffer_size(&theirs, BUFFER).unwrap();
        (Stream::tcp(ours).unwrap(), theirs)
    }

    const ROOM: usize = 8;

    #[tokio::test]
    async fn a_read_takes_what_there_is_and_waits_for_more() {
        let (mut ours, mut theirs) = pair();
        let mut read = Vec::with_capacity(ROOM);
        for piece in [&b"abc"[..], b"defgh", b"i"] {
            theirs.write_all(piece).unwrap();
            read.clear();
            let count =
                std::future::poll_fn(|cx| ours.poll_read_into(cx, || &mut read, ROOM)).await;
            assert_eq!((count.unwrap(), &read[..]), (piece.len(), piece));
            let mut cx = Context::from_waker(Waker::noop());
            read.clear();
            assert!(
                ours.poll_read_into(&mut cx, || &mut read, ROOM)
                    .is_pending()
            );
        }
        drop(theirs);
        let end = std::future::poll_fn(|cx| ours.poll_read_into(cx, || &mut read, ROOM)).await;
        assert_eq!(end.unwrap(), 0);
    }

    /// Writes more than fits before the peer reads.
    async fn overfill(ours: &mut Stream, mut theirs: impl Read + Send + 'static) {
        let sent: Vec<u8> = (0..4_000_000_u32).map(|at| at.to_le_bytes()[1]).collect();
        let mut cx = Context::from_waker(Waker::noop());
        let mut written = 0;
        while let Poll::Ready(count) = Pin::new(&mut *ours).poll_write(&mut cx, &sent[written..]) {
            written += count.unwrap();
            assert!(written < sent.len(), "it finds no room");
        }
        let length = sent.len();
        let reading = tokio::task::spawn_blocking(move || {
            let mut read = vec![0; length];
            theirs.read_exact(&mut read).map(|()| read)
        });
        let rest = ours.write_all(&sent[written..]);
        tokio::time::timeout(LIMIT, rest).await.unwrap().unwrap();
        assert!(reading.await.unwrap().unwrap() == sent, "byte for byte");
    }

    #[tokio::test]
    async fn what_finds_no_room_goes_on_when_there_is_some() {
        let (mut ours, theirs) = tcp_pair();
        overfill(&mut ours, theirs).await;
        let (mut ours, theirs) = pair();
        overfill(&mut ours, theirs).await;
        assert!(matches!(
            ours.write_readiness,
            WriteReadiness::OnDemand(Some(_))
        ));
        ours.release_write_registration();
        assert!(matches!(
            ours.write_readiness,
            WriteReadiness::OnDemand(None)
        ));
    }

    #[tokio::test]
    async fn a_peer_has_an_address_where_it_has_come_by_tcp() {
        let (ours, theirs) = tcp_pair();
        assert_eq!(ours.peer_ip(), Some(theirs.local_addr().unwrap().ip()));
        assert_eq!(pair().0.peer_ip(), None);
    }

    #[tokio::test]
    async fn a_close_resets_where_it_is_to() {
        let (ours, mut theirs) = tcp_pair();
        ours.reset_on_close();
        drop(ours);
        let end = theirs.read(&mut [0; 1]).unwrap_err();
        assert_eq!(end.kind(), io::ErrorKind::ConnectionReset);
    }

    #[tokio::test]
    async fn the_other_sides_reading_is_not_told() {
        let (mut ours, mut theirs) = pair();
        ours.write_all(b"a request").await.unwrap();
        theirs.read_exact(&mut [0; 9]).unwrap();
        // This byte arrives after any report of the peer's reading.
        theirs.write_all(b"x").unwrap();
        ours.read_u8().await.unwrap();
        let mut cx = Context::from_waker(Waker::noop());
        assert!(ours.socket.poll_write_ready(&mut cx).is_pending());
    }
}
