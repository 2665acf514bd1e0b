use super::stream::Stream;
use paddock_wire::MAX_HEAD;
use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;

/// Free space before the bytes, so that a head can grow without its body being moved.
const HEADROOM: usize = 1024;

/// What a buffer holds at most, in bytes: a head of the greatest length fits.
const ROOM: usize = MAX_HEAD;

/// How many free buffers a worker keeps: a megabyte and a quarter of them.
const KEPT: usize = 20;

/// Bytes on their way from one side to the other. The default has no room.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    data: Vec<u8>,
    start: usize,
}

impl Buffer {
    fn with_room() -> Self {
        let mut data = Vec::with_capacity(HEADROOM + ROOM);
        data.resize(HEADROOM, 0);
        Self {
            data,
            start: HEADROOM,
        }
    }

    /// The bytes it holds.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.data.get(self.start..).unwrap_or_default()
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        self.data.get_mut(self.start..).unwrap_or_default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.data.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.data.len() >= HEADROOM + ROOM
    }

    /// How many bytes more it takes.
    pub(crate) fn room(&self) -> usize {
        (HEADROOM + ROOM).saturating_sub(self.data.len())
    }

    /// Forgets the first `count` bytes.
    pub(crate) fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.data.len());
    }

    /// Forgets all but the first `count` bytes.
    pub(crate) fn truncate(&mut self, count: usize) {
        self.data.truncate(self.start + count);
    }

    /// Adds bytes at the end.
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        self.data.extend_from_slice(bytes);
    }

    /// Puts `head` in the place of the first `len` bytes. What follows stays where it lies as
    /// long as the headroom lasts.
    pub(crate) fn replace_head(&mut self, len: usize, head: &[u8]) {
        let body = self.start + len;
        if let Some(start) = body.checked_sub(head.len()) {
            self.data[start..body].copy_from_slice(head);
            self.start = start;
        } else {
            self.data.splice(self.start..body, head.iter().copied());
        }
    }

    /// Reads once what has arrived, behind what `to` holds. Where that is nothing, a buffer is taken from the
    /// pool once there is something to read, and none is left there without a byte. `Ok(0)` is the end, or no
    /// room.
    pub(crate) fn poll_read(
        to: &mut Option<Self>,
        pool: &Pool,
        from: &mut Stream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let room = to.as_ref().map_or(ROOM, Self::room);
        let slot = &mut *to;
        let read = from.poll_read_into(
            cx,
            move || &mut slot.get_or_insert_with(|| pool.take()).data,
            room,
        );
        if let Some(empty) = to.take_if(|to| to.is_empty()) {
            pool.give(empty);
        }
        read
    }

    /// Writes all of it, and forgets what is written.
    pub(crate) fn poll_write_all(
        &mut self,
        to: &mut Stream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let written = ready!(Pin::new(&mut *to).poll_write(cx, self.bytes()))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.consume(written);
        }
        Poll::Ready(Ok(()))
    }
}

/// A worker's free buffers. A connection that has nothing on its way holds none.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    free: RefCell<Vec<Buffer>>,
    #[cfg(test)]
    lent: std::cell::Cell<isize>,
}

impl Pool {
    /// An empty buffer.
    pub(crate) fn take(&self) -> Buffer {
        #[cfg(test)]
        self.lent.set(self.lent.get() + 1);
        let free = self.free.borrow_mut().pop();
        free.unwrap_or_else(Buffer::with_room)
    }

    /// Takes a buffer back, whatever it holds.
    pub(crate) fn give(&self, mut buffer: Buffer) {
        if buffer.data.len() < HEADROOM {
            return;
        }
        #[cfg(test)]
        self.lent.set(self.lent.get() - 1);
        let mut free = self.free.borrow_mut();
        // One that a long head has made larger is not kept: it would hold more for good.
        if free.len() < KEPT && buffer.data.capacity() <= HEADROOM + ROOM {
            buffer.data.truncate(HEADROOM);
            buffer.start = HEADROOM;
            free.push(buffer);
        }
    }

    /// Buffers taken and not given back.
    #[cfg(test)]
    pub(crate) fn lent(&self) -> isize {
        self.lent.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holding(bytes: &[u8]) -> Buffer {
        let mut buffer = Buffer::with_room();
        buffer.extend(bytes);
        buffer
    }

    #[test]
    fn a_head_is_replaced_by_a_shorter_or_longer_one() {
        for head in [&b""[..], b"h", b"a longer head", &[b'x'; 3000]] {
            let mut buffer = holding(b"head|body");
            buffer.replace_head(5, head);
            assert_eq!(buffer.bytes(), [head, b"body"].concat());
        }
    }

    #[test]
    fn a_returned_buffer_is_empty_again() {
        let pool = Pool::default();
        let mut buffer = holding(b"some bytes");
        buffer.replace_head(4, b"more and more");
        pool.give(buffer);
        assert!(pool.take().is_empty());
    }

    #[test]
    fn a_buffer_that_has_grown_is_not_kept() {
        let pool = Pool::default();
        for (grown, kept) in [(HEADROOM, 1), (HEADROOM + 1, 0)] {
            let mut buffer = holding(&vec![b'x'; ROOM]);
            buffer.replace_head(0, &vec![b'h'; grown]);
            pool.give(buffer);
            assert_eq!(pool.free.take().len(), kept, "{grown}");
        }
    }
}
