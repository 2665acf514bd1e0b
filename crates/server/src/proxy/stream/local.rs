//! Unix sockets that are woken by what arrives, and not by the other side's reading.

use bytes::BufMut;
use rustix::buffer::{Buffer, spare_capacity};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use std::io;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio_util::io::poll_read_buf;

/// A connection over a unix socket.
///
/// Linux tells a unix socket that it can write each time the other side has read from it, whether
/// there had been no room or not (`unix_write_space` in `net/unix/af_unix.c`): a request would wake its
/// worker once more when the child has read it. So the socket is registered for reading alone, and for
/// writing from the first write on that finds no room.
#[derive(Debug)]
pub(crate) struct Local {
    socket: AsyncFd<UnixStream>,
    /// The same socket, registered for writing.
    writes: Option<Box<AsyncFd<UnixStream>>>,
}

impl Local {
    /// A connection on this runtime.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self {
            socket: register(stream, Interest::READABLE)?,
            writes: None,
        })
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
        self.writes = None;
    }
}

/// One try to read what has arrived.
fn receive(
    guard: &mut AsyncFdReadyGuard<'_, UnixStream>,
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

fn send(socket: &UnixStream, bytes: &[u8]) -> io::Result<usize> {
    Ok(rustix::io::retry_on_intr(|| {
        rustix::net::send(socket, bytes, SendFlags::NOSIGNAL)
    })?)
}

#[expect(
    deprecated,
    reason = "wrong only for what gives its descriptor away; what is to replace it is unsafe"
)]
fn register(socket: UnixStream, interest: Interest) -> io::Result<AsyncFd<UnixStream>> {
    AsyncFd::with_interest(socket, interest)
}

impl AsyncRead for Local {
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

impl AsyncWrite for Local {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let writes = match &mut this.writes {
            Some(writes) => writes,
            none => {
                let socket = this.socket.get_ref();
                match send(socket, bytes) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    sent => return Poll::Ready(sent),
                }
                let same = socket.try_clone()?;
                none.insert(Box::new(register(same, Interest::WRITABLE)?))
            }
        };
        loop {
            let mut guard = ready!(writes.poll_write_ready(cx))?;
            if let Ok(sent) = guard.try_io(|socket| send(socket.get_ref(), bytes)) {
                return Poll::Ready(sent);
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A socket keeps nothing back.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.socket.get_ref().shutdown(Shutdown::Write))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::task::Waker;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// A connection, and its other end, which blocks.
    fn pair() -> (Local, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Local::new(ours).unwrap(), theirs)
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

    #[tokio::test]
    async fn what_finds_no_room_goes_on_when_there_is_some() {
        let (mut ours, mut theirs) = pair();
        let sent: Vec<u8> = (0..4_000_000_u32).map(|at| at.to_le_bytes()[1]).collect();
        let length = sent.len();
        let reading = tokio::task::spawn_blocking(move || {
            let mut read = vec![0; length];
            theirs.read_exact(&mut read).map(|()| read)
        });
        ours.write_all(&sent).await.unwrap();
        assert!(ours.writes.is_some(), "it found no room");
        assert!(reading.await.unwrap().unwrap() == sent, "byte for byte");
        ours.rest();
        assert!(ours.writes.is_none());
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
