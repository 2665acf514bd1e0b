//! Sockets that are woken by what arrives, and not by the other side's reading.

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

/// A connection over TCP or a unix socket.
///
/// A write is tried at once, and waits only where it has found no room.
#[derive(Debug)]
pub struct Socket {
    socket: AsyncFd<OwnedFd>,
    room: Room,
}

/// How a socket learns that there is room again for what it writes.
#[derive(Debug)]
enum Room {
    /// TCP says so only to who has found none: it is registered for both.
    Told,
    /// Linux tells a unix socket that it can write each time the other side has read from it, whether there
    /// had been no room or not (`unix_write_space` in `net/unix/af_unix.c`): a request would wake its worker
    /// once more when the child has read it. So the socket is registered for reading alone, and the same
    /// socket for writing from the first write on that finds no room.
    Asked(Option<Box<AsyncFd<OwnedFd>>>),
}

impl Socket {
    /// A TCP connection on this runtime, that sends small pieces at once: an event must not wait for the
    /// next one.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn tcp(stream: TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            socket: register(stream.into(), Interest::READABLE | Interest::WRITABLE)?,
            room: Room::Told,
        })
    }

    /// A connection over a unix socket, on this runtime.
    ///
    /// # Errors
    /// What the system said.
    pub fn unix(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self {
            socket: register(stream.into(), Interest::READABLE)?,
            room: Room::Asked(None),
        })
    }

    /// Where the other side is, as far as it tells one client from another.
    pub(super) fn peer(&self) -> Option<IpAddr> {
        let peer = rustix::net::getpeername(&self.socket).ok()??;
        SocketAddr::try_from(peer).ok().map(|at| at.ip())
    }

    /// Returns whether this is a TCP connection to a loopback address of this machine.
    pub(super) fn is_over_loopback(&self) -> bool {
        let local = rustix::net::getsockname(&self.socket).ok();
        let local = local.and_then(|at| SocketAddr::try_from(at).ok());
        local.is_some_and(|at| at.ip().to_canonical().is_loopback())
    }

    /// Makes the close that follows a reset.
    pub(super) fn reset_on_close(&self) {
        // Where the system refuses, the close is a plain one.
        let _ = rustix::net::sockopt::set_socket_linger(&self.socket, Some(Duration::ZERO));
    }

    /// Reads once what has arrived, at most `room` bytes. Where they are to go is asked once there are some.
    /// `Ok(0)` is the end, or no room.
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

    /// Gives back what a write that found no room has taken.
    pub(super) fn rest(&mut self) {
        if let Room::Asked(asked) = &mut self.room {
            *asked = None;
        }
    }

    /// Writes once there is room, after a write that has found none.
    fn poll_room(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let socket = match &mut self.room {
            Room::Told => &self.socket,
            Room::Asked(Some(asked)) => &**asked,
            Room::Asked(none) => {
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

/// One try to read what has arrived.
fn receive(
    guard: &mut AsyncFdReadyGuard<'_, OwnedFd>,
    to: impl Buffer<u8>,
    room: usize,
) -> Result<usize, Errno> {
    let read = rustix::net::recv(guard.get_inner(), to, RecvFlags::empty());
    let read = read.map(|(_, count)| count);
    // After less than there was room for nothing is left, and the next arrival is told anew.
    if read == Err(Errno::AGAIN) || read.is_ok_and(|count| 0 < count && count < room) {
        guard.clear_ready();
    }
    read
}

fn send(socket: &OwnedFd, bytes: &[u8]) -> io::Result<usize> {
    Ok(rustix::io::retry_on_intr(|| {
        rustix::net::send(socket, bytes, SendFlags::NOSIGNAL)
    })?)
}

#[expect(
    deprecated,
    reason = "wrong only for what gives its descriptor away; what is to replace it is unsafe"
)]
fn register(socket: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(socket, interest)
}

impl AsyncRead for Socket {
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

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let is_waiting = matches!(this.room, Room::Asked(Some(_)));
        if !is_waiting {
            match send(this.socket.get_ref(), bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                sent => return Poll::Ready(sent),
            }
        }
        this.poll_room(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A socket keeps nothing back.
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

    /// How long a write may wait for room that there is.
    const LIMIT: Duration = Duration::from_secs(20);

    /// Of each end of a TCP connection, in bytes.
    const BUFFER: usize = 64 * 1024;

    /// A connection, and its other end, which blocks.
    fn pair() -> (Socket, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Socket::unix(ours).unwrap(), theirs)
    }

    /// The same over TCP.
    fn tcp_pair() -> (Socket, TcpStream) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let theirs = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (ours, _) = listener.accept().unwrap();
        // Left alone they grow to what the system allows, which may be more than a test sends.
        sockopt::set_socket_send_buffer_size(&ours, BUFFER).unwrap();
        sockopt::set_socket_recv_buffer_size(&theirs, BUFFER).unwrap();
        (Socket::tcp(ours).unwrap(), theirs)
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

    /// Writes more than there is room for before the other side reads.
    async fn overfill(ours: &mut Socket, mut theirs: impl Read + Send + 'static) {
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
        assert!(matches!(ours.room, Room::Asked(Some(_))));
        ours.rest();
        assert!(matches!(ours.room, Room::Asked(None)));
    }

    #[tokio::test]
    async fn a_peer_has_an_address_where_it_has_come_by_tcp() {
        let (ours, theirs) = tcp_pair();
        assert_eq!(ours.peer(), Some(theirs.local_addr().unwrap().ip()));
        assert_eq!(pair().0.peer(), None);
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
        // What comes behind it has been told, so whatever there is to tell of the reading has been too.
        theirs.write_all(b"x").unwrap();
        ours.read_u8().await.unwrap();
        let mut cx = Context::from_waker(Waker::noop());
        assert!(ours.socket.poll_write_ready(&mut cx).is_pending());
    }
}
