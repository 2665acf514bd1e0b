//! Where clients and operators connect: sockets that were handed over, or else what is configured.

use crate::config::{Config, Listen};
use crate::inherited::{Inherited, Listener, Socket};
use crate::proxy::Acceptor;
use crate::service::StartError;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio::net::{TcpListener, UnixListener, UnixStream};

/// Connections that wait to be accepted on each socket; the kernel takes `net.core.somaxconn` if that is
/// less. tokio asks for 1,024 or fewer. Linux sets the length anew when a socket that listens is told to
/// listen (`inet_listen` in `net/ipv4/af_inet.c`, `unix_listen` in `net/unix/af_unix.c`).
const BACKLOG: i32 = 4096;

/// One plane's open sockets.
#[derive(Debug)]
pub(crate) struct Plane {
    pub(crate) acceptors: Vec<Acceptor>,
    /// Where they are, with the ports that were chosen for port 0.
    pub(crate) at: Vec<Listen>,
    /// The files that were made for them.
    pub(crate) made: Vec<PathBuf>,
}

/// Opens the public plane and the admin plane.
///
/// # Errors
/// An address cannot be had, or is open to everyone without leave.
pub(crate) async fn open(
    config: &Config,
    inherited: Inherited,
) -> Result<(Plane, Plane), StartError> {
    let Inherited { public, admin } = inherited;
    let open = |sockets: &[Socket], may_be: bool| {
        let mut sockets = sockets.iter().map(|socket| &socket.at);
        sockets.find(|at| at.is_wildcard() && !may_be).cloned()
    };
    let open = open(&public, config.public_may_be_open())
        .or_else(|| open(&admin, config.admin_may_be_open()));
    if let Some(open) = open {
        return Err(StartError::OpenToAll(open));
    }
    let server = &config.server;
    let public = plane("server.listen", &server.listen, public).await?;
    let admin = match plane("server.admin", &server.admin, admin).await {
        Err(error) if server.admin_may_move && error.is_in_use() => {
            let free = server.admin.iter().map(at_a_free_port);
            let admin = plane("server.admin", &free.collect::<Vec<_>>(), Vec::new()).await?;
            tracing::info!(
                at = ?admin.at,
                "the admin address is another one than usual, where {error}"
            );
            admin
        }
        opened => opened?,
    };
    Ok((public, admin))
}

fn at_a_free_port(address: &Listen) -> Listen {
    match address {
        Listen::Tcp(address) => Listen::Tcp(SocketAddr::new(address.ip(), 0)),
        Listen::Unix(path) => Listen::Unix(path.clone()),
    }
}

async fn plane(
    key: &'static str,
    configured: &[Listen],
    inherited: Vec<Socket>,
) -> Result<Plane, StartError> {
    let mut plane = Plane {
        acceptors: Vec::new(),
        at: Vec::new(),
        made: Vec::new(),
    };
    if inherited.is_empty() {
        for address in configured {
            plane
                .bind(address)
                .await
                .map_err(|source| StartError::Listen {
                    address: address.clone(),
                    source,
                })?;
        }
        return Ok(plane);
    }
    for Socket { listener, at } in inherited {
        tracing::info!(key, %at, "the service manager holds this socket: the configured addresses are not used");
        let acceptor = match listener {
            Listener::Tcp(listener) => TcpListener::from_std(listener).map(Acceptor::Tcp),
            Listener::Unix(listener) => UnixListener::from_std(listener).map(Acceptor::Unix),
        };
        let acceptor = acceptor.map_err(|source| StartError::Listen {
            address: at.clone(),
            source,
        })?;
        plane.acceptors.push(acceptor);
        plane.at.push(at);
    }
    Ok(plane)
}

impl Plane {
    async fn bind(&mut self, address: &Listen) -> io::Result<()> {
        match address {
            Listen::Tcp(address) => {
                let listener = TcpListener::bind(address).await?;
                rustix::net::listen(&listener, BACKLOG)?;
                self.at.push(Listen::Tcp(listener.local_addr()?));
                self.acceptors.push(Acceptor::Tcp(listener));
            }
            Listen::Unix(path) => {
                if UnixStream::connect(path).await.is_ok() {
                    return Err(io::ErrorKind::AddrInUse.into());
                }
                // A socket nobody listens on is one that a killed process left behind.
                if let Ok(found) = std::fs::symlink_metadata(path) {
                    if !std::os::unix::fs::FileTypeExt::is_socket(&found.file_type()) {
                        let words = "the file is there already and is not a socket";
                        return Err(io::Error::new(io::ErrorKind::AlreadyExists, words));
                    }
                    std::fs::remove_file(path)?;
                }
                let listener = UnixListener::bind(path)?;
                rustix::net::listen(&listener, BACKLOG)?;
                self.acceptors.push(Acceptor::Unix(listener));
                self.made.push(path.clone());
                self.at.push(address.clone());
            }
        }
        Ok(())
    }
}

/// Removes the sockets that were made. Whoever answers at one by now is another program, whose socket
/// it is.
pub(crate) fn remove(made: &[PathBuf]) {
    for path in made {
        if std::os::unix::net::UnixStream::connect(path).is_err() {
            // It may be gone already.
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_burst_of_connections_waits_to_be_accepted() {
        const BURST: usize = 400;
        let mut plane = Plane {
            acceptors: Vec::new(),
            at: Vec::new(),
            made: Vec::new(),
        };
        plane
            .bind(&Listen::Tcp(([127, 0, 0, 1], 0).into()))
            .await
            .unwrap();
        let Listen::Tcp(address) = plane.at[0] else {
            panic!("no port");
        };
        let limit = std::time::Duration::from_millis(900);
        // Beyond the backlog the kernel drops what a client sends to connect, which is sent again after 1 s.
        let mut connected = Vec::new();
        for _ in 0..BURST {
            connected.push(std::net::TcpStream::connect_timeout(&address, limit).unwrap());
        }
    }

    #[test]
    fn a_socket_that_is_another_programs_by_now_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.sock");
        let made = [path.clone()];
        let other = std::os::unix::net::UnixListener::bind(&path).unwrap();
        remove(&made);
        assert!(path.exists());
        drop(other);
        remove(&made);
        assert!(!path.exists());
    }
}
