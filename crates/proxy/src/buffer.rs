//! Buffers that bytes pass through, and the pool that each worker keeps of them.

use super::stream::Stream;
use paddock_wire::MAX_HEAD;
use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;

/// Free space in front of the bytes, so that a head can grow without moving the body.
const HEADROOM_BYTES: usize = 1024;

/// Capacity of a buffer in bytes: enough for the longest head.
const CAPACITY_BYTES: usize = MAX_HEAD;

/// Free buffers that a worker keeps: 1.25 MiB.
const MAX_FREE_BUFFERS: usize = 20;

/// Bytes on their way from one side to the other. The default has no capacity.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    data: Vec<u8>,
    start: usize,
}

impl Buffer {
    fn with_capacity_for_head() -> Self {
        let mut data = Vec::with_capacity(HEADROOM_BYTES + CAPACITY_BYTES);
        data.resize(HEADROOM_BYTES, 0);
        Self {
            data,
            start: HEADROOM_BYTES,
        }
    }

    /// Returns the buffered bytes.
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
        self.data.len() >= HEADROOM_BYTES + CAPACITY_BYTES
    }

    /// Returns how many more bytes fit.
    pub(crate) fn room(&self) -> usize {
        (HEADROOM_BYTES + CAPACITY_BYTES).saturating_sub(self.data.len())
    }

    /// Drops the first `count` bytes.
    pub(crate) fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.data.len());
    }

    /// Drops all except the first `count` bytes.
    pub(crate) fn truncate(&mut self, count: usize) {
        self.data.truncate(self.start + count);
    }

    /// Appends bytes.
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        self.data.extend_from_slice(bytes);
    }

    /// Replaces the first `len` bytes by `head`. The bytes behind do not move while the headroom lasts.
    pub(crate) fn replace_head(&mut self, len: usize, head: &[u8]) {
        let body = self.start + len;
        if let Some(start) = body.checked_sub(head.len()) {
            self.data[start..body].copy_from_slice(head);
            self.start = start;
        } else {
            self.data.splice(self.start..body, head.iter().copied());
        }
    }

    /// Reads once, appending to `to`. If `to` is None, takes a buffer from the pool only once there is
    /// something to read. `Ok(0)` is the end of the stream, or a full buffer.
    pub(crate) fn poll_read(
        to: &mut Option<Self>,
        pool: &BufferPool,
        from: &mut Stream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let room = to.as_ref().map_or(CAPACITY_BYTES, Self::room);
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

    /// Writes all bytes and drops those that are written.
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

/// Free buffers of a worker. A connection with nothing on its way holds none.
#[derive(Debug, Default)]
pub(crate) struct BufferPool {
    free: RefCell<Vec<Buffer>>,
    #[cfg(test)]
    outstanding: std::cell::Cell<isize>,
}

impl BufferPool {
    /// Takes an empty buffer.
    pub(crate) fn take(&self) -> Buffer {
        #[cfg(test)]
        self.outstanding.set(self.outstanding.get() + 1);
        let free = self.free.borrow_mut().pop();
        free.unwrap_or_else(Buffer::with_capacity_for_head)
    }

    /// Returns a buffer, empty or not, to the pool.
    pub(crate) fn give(&self, mut buffer: Buffer) {
        if buffer.data.len() < HEADROOM_BYTES {
            return;
        }
        #[cfg(test)]
        self.outstanding.set(self.outstanding.get() - 1);
        let mut free = self.free.borrow_mut();
        // A buffer that a long head has grown is dropped: kept, it would occupy the extra memory for good.
        if free.len() < MAX_FREE_BUFFERS
            && buffer.data.capacity() <= HEADROOM_BYTES + CAPACITY_BYTES
        {
            buffer.data.truncate(HEADROOM_BYTES);
            buffer.start = HEADROOM_BYTES;
            free.push(buffer);
        }
    }

    /// Returns how many buffers are taken and not given back.
    #[cfg(test)]
    pub(crate) fn outstanding(&self) -> isize {
        self.outstanding.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holding(bytes: &[u8]) -> Buffer {
        let mut buffer = Buffer::with_capacity_for_head();
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
        let pool = BufferPool::default();
        let mut buffer = holding(b"some bytes");
        buffer.replace_head(4, b"more and more");
        pool.give(buffer);
        assert!(pool.take().is_empty());
    }

    #[test]
    fn a_buffer_that_has_grown_is_not_kept() {
        let pool = BufferPool::default();
        for (grown, kept) in [(HEADROOM_BYTES, 1), (HEADROOM_BYTES + 1, 0)] {
            let mut buffer = holding(&vec![b'x'; CAPACITY_BYTES]);
            buffer.replace_head(0, &vec![b'h'; grown]);
            pool.give(buffer);
            assert_eq!(pool.free.take().len(), kept, "{grown}");
        }
    }
}
