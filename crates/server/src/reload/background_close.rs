//! Closes a descriptor on another thread, because the close may take long.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::thread;

/// A descriptor that a short-lived thread closes, so that a drop does not block.
///
/// Closing an inotify instance waits for the kernel to free its watches (fs/notify/group.c,
/// `fsnotify_destroy_group`), which took up to 30 s on a busy machine with two cores and Linux 6.18.
#[derive(Debug)]
pub(super) struct BackgroundClose(Option<OwnedFd>);

impl BackgroundClose {
    pub(super) fn new(descriptor: OwnedFd) -> Self {
        Self(Some(descriptor))
    }
}

impl AsFd for BackgroundClose {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.0 {
            Some(descriptor) => descriptor.as_fd(),
            None => unreachable!("only a drop takes it"),
        }
    }
}

impl AsRawFd for BackgroundClose {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl Drop for BackgroundClose {
    fn drop(&mut self) {
        let descriptor = self.0.take();
        let closing = thread::Builder::new().name("close-inotify".to_owned());
        // If no thread can be started, the closure and so the descriptor are dropped here.
        let _ = closing.spawn(move || drop(descriptor));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::sockopt::set_socket_linger;
    use std::io::Write as _;
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;
    use tokio::time::Instant;

    /// Uses a socket that waits in close(2) for data that nobody reads (socket(7), `SO_LINGER`).
    #[test]
    fn a_slow_close_holds_up_nobody() {
        let linger = Duration::from_secs(20);
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let mut socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (peer, _) = listener.accept().unwrap();
        set_socket_linger(&socket, Some(linger)).unwrap();
        socket.set_nonblocking(true).unwrap();
        while socket.write(&[0; 1 << 14]).is_ok() {}
        let began = Instant::now();
        drop(BackgroundClose::new(socket.into()));
        assert!(began.elapsed() < linger / 2);
        drop(peer);
    }
}
