//! Listeners for TCP and unix sockets.

use std::io::{self, Write};
use std::path::Path;
use std::rc::Rc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::task::JoinSet;

use super::unix_connection::UnixConnection;
use super::{ChildServer, connection};

#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A connection that can be handed to another thread for writing.
pub(super) trait ChildConnection: AsyncRead + AsyncWrite + Unpin + 'static {
    fn into_blocking(self) -> io::Result<Box<dyn Write + Send>>;
}

impl ChildConnection for TcpStream {
    fn into_blocking(self) -> io::Result<Box<dyn Write + Send>> {
        let stream = self.into_std()?;
        stream.set_nonblocking(false)?;
        Ok(Box::new(stream))
    }
}

/// Binds an address of `--host`.
pub(super) async fn bind(host: &str, port: u16) -> io::Result<Listener> {
    if Path::new(host).extension().is_some_and(|end| end == "sock") {
        UnixListener::bind(host).map(Listener::Unix)
    } else {
        TcpListener::bind((host, port)).await.map(Listener::Tcp)
    }
}

impl Listener {
    /// Accepts and serves connections until dropped.
    pub(super) async fn accept(self, server: Rc<ChildServer>) {
        let mut serving = JoinSet::new();
        loop {
            let server = Rc::clone(&server);
            match &self {
                Self::Tcp(listener) => {
                    if let Ok((stream, _)) = listener.accept().await {
                        // Otherwise an event would wait for the acknowledgement of the previous
                        // one.
                        let _ = stream.set_nodelay(true);
                        serving.spawn_local(connection::serve(server, stream));
                    }
                }
                Self::Unix(listener) => {
                    if let Ok((stream, _)) = listener.accept().await
                        && let Ok(stream) = UnixConnection::new(stream)
                    {
                        serving.spawn_local(connection::serve(server, stream));
                    }
                }
            }
            while serving.try_join_next().is_some() {}
        }
    }
}
