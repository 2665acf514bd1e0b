//! Buffers that bytes pass through, and the pool to which each returns when it is dropped.

use super::stream::Stream;
use paddock_wire::MAX_HEAD;
use std::cell::{Cell, RefCell};
use std::io;
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;

/// Free space in front of the bytes, so that a head can grow without moving the body.
const HEADROOM_BYTES: usize = 1024;

/// Capacity of a buffer in bytes: enough for the longest head.
const CAPACITY_BYTES: usize = MAX_HEAD;

/// Free buffers that a worker keeps: 1.25 MiB.
const MAX_FREE_BUFFERS: usize = 20;

/// Bytes on their way between a client and a model's server. The default buffer has no memory.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    data: Vec<u8>,
    start: usize,
    /// Pool that gets the memory back; None for the default buffer.
    pool: Option<BufferPool>,
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.take() {
            pool.give(mem::take(&mut self.data));
        }
    }
}

impl Buffer {
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
        to.take_if(|to| to.is_empty());
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
#[derive(Debug, Clone, Default)]
pub(crate) struct BufferPool(Rc<PoolState>);

#[derive(Debug, Default)]
struct PoolState {
    free: RefCell<Vec<Vec<u8>>>,
    /// Bytes of bodies and responses in memory.
    buffered_bytes: Cell<usize>,
}

impl BufferPool {
    /// Takes an empty buffer.
    pub(crate) fn take(&self) -> Buffer {
        let free = self.0.free.borrow_mut().pop();
        Buffer {
            data: free.unwrap_or_else(|| {
                let mut data = Vec::with_capacity(HEADROOM_BYTES + CAPACITY_BYTES);
                data.resize(HEADROOM_BYTES, 0);
                data
            }),
            start: HEADROOM_BYTES,
            pool: Some(self.clone()),
        }
    }

    /// Takes back a buffer's memory.
    fn give(&self, mut data: Vec<u8>) {
        let mut free = self.0.free.borrow_mut();
        // A buffer that a long head has grown is dropped: kept, it would occupy the extra memory for good.
        if free.len() < MAX_FREE_BUFFERS && data.capacity() <= HEADROOM_BYTES + CAPACITY_BYTES {
            data.truncate(HEADROOM_BYTES);
            free.push(data);
        }
    }

    /// Returns the number of bytes counted as kept in memory until the other side takes them.
    pub(crate) fn buffered_bytes(&self) -> usize {
        self.0.buffered_bytes.get()
    }

    /// Counts `bytes` more.
    pub(crate) fn add_buffered(&self, bytes: usize) {
        self.0.buffered_bytes.set(self.buffered_bytes() + bytes);
    }

    /// Counts `bytes` less.
    pub(crate) fn remove_buffered(&self, bytes: usize) {
        self.0.buffered_bytes.set(self.buffered_bytes() - bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl BufferPool {
        /// Returns how many buffers of a worker are in use.
        pub(crate) fn outstanding(&self) -> usize {
            Rc::strong_count(&self.0) - 1
        }
    }

    fn holding(pool: &BufferPool, bytes: &[u8]) -> Buffer {
        let mut buffer = pool.take();
        buffer.extend(bytes);
        buffer
    }

    #[test]
    fn a_head_is_replaced_by_a_shorter_or_longer_one() {
        for head in [&b""[..], b"h", b"a longer head", &[b'x'; 3000]] {
            let mut buffer = holding(&BufferPool::default(), b"head|body");
            buffer.replace_head(5, head);
            assert_eq!(buffer.bytes(), [head, b"body"].concat());
        }
    }

    #[test]
    fn a_dropped_buffer_is_empty_again() {
        let pool = BufferPool::default();
        let mut buffer = holding(&pool, b"some bytes");
        buffer.replace_head(4, b"more and more");
        let memory = buffer.data.as_ptr();
        drop(buffer);
        let buffer = pool.take();
        assert!(buffer.is_empty());
        assert_eq!(buffer.data.as_ptr(), memory);
    }

    #[test]
    fn a_buffer_that_has_grown_is_not_kept() {
        let pool = BufferPool::default();
        for (grown, kept) in [(HEADROOM_BYTES, 1), (HEADROOM_BYTES + 1, 0)] {
            let mut buffer = holding(&pool, &vec![b'x'; CAPACITY_BYTES]);
            buffer.replace_head(0, &vec![b'h'; grown]);
            drop(buffer);
            assert_eq!(pool.0.free.take().len(), kept, "{grown}");
        }
    }
}
