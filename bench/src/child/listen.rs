//! Sockets, TCP and unix alike.

use std::io::{self, Write};
use std::path::Path;
use std::rc::Rc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::task::JoinSet;

use super::local::Local;
use super::{Server, serve};

#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A connection that can be written to by another thread from some moment on.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + 'static {
    fn into_blocking(self) -> io::Result<Box<dyn Write + Send>>;
}

impl Stream for TcpStream {
    fn into_blocking(self) -> io::Result<Box<dyn Write + Send>> {
        let stream = self.into_std()?;
        stream.set_nonblocking(false)?;
        Ok(Box::new(stream))
    }
}

/// Binds a host of `--host`.
pub(super) async fn bind(host: &str, port: u16) -> io::Result<Listener> {
    if Path::new(host).extension().is_some_and(|end| end == "sock") {
        UnixListener::bind(host).map(Listener::Unix)
    } else {
        TcpListener::bind((host, port)).await.map(Listener::Tcp)
    }
}

impl Listener {
    /// Serves whoever comes, until it is dropped.
    pub(super) async fn accept(self, server: Rc<Server>) {
        let mut serving = JoinSet::new();
        loop {
            let server = Rc::clone(&server);
            match &self {
                Self::Tcp(listener) => {
                    if let Ok((stream, _)) = listener.accept().await {
                        // Without it an event would wait for the acknowledgement of the last one.
                        let _ = stream.set_nodelay(true);
                        serving.spawn_local(serve::serve(server, stream));
                    }
                }
                Self::Unix(listener) => {
                    if let Ok((stream, _)) = listener.accept().await
                        && let Ok(stream) = Local::new(stream)
                    {
                        serving.spawn_local(serve::serve(server, stream));
                    }
                }
            }
            while serving.try_join_next().is_some() {}
        }
    }
}
