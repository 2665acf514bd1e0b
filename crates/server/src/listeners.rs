//! Opens the listeners of both planes: inherited sockets if there are any, else the configured addresses.
//!
//! The public plane serves clients that send requests to models; the admin plane serves operators.

use crate::service::StartError;
use crate::socket_activation::{InheritedSocket, InheritedSockets, StdListener};
use paddock_config::{Config, Listen};
use paddock_proxy::Acceptor;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use tokio::net::{TcpListener, UnixListener, UnixStream};

/// Connections that may wait to be accepted on each socket, if `net.core.somaxconn` is not less. tokio asks for
/// at most 1,024. Linux updates the length when listen(2) is called again (`inet_listen` in
/// `net/ipv4/af_inet.c`, `unix_listen` in `net/unix/af_unix.c`).
const BACKLOG: i32 = 4096;

/// Attempts to find a port that is free on both loopback addresses.
const MAX_PORT_ATTEMPTS: usize = 16;

/// The open listeners of one plane.
#[derive(Debug)]
pub(crate) struct PlaneListeners {
    pub(crate) acceptors: Vec<Acceptor>,
    /// Bound addresses, with the ports that were chosen for port 0.
    pub(crate) addresses: Vec<Listen>,
    /// Files of unix sockets that paddock created.
    pub(crate) socket_files: Vec<PathBuf>,
}

/// Opens the listeners of the public and the admin plane.
///
/// # Errors
/// An address cannot be listened on, or is open to every network and the configuration does not allow that.
pub(crate) async fn open_planes(
    config: &Config,
    inherited: InheritedSockets,
) -> Result<(PlaneListeners, PlaneListeners), StartError> {
    let InheritedSockets { public, admin } = inherited;
    let wildcard = |sockets: &[InheritedSocket], is_allowed: bool| {
        let mut addresses = sockets.iter().map(|socket| &socket.address);
        addresses
            .find(|address| address.is_wildcard() && !is_allowed)
            .cloned()
    };
    let exposed = wildcard(&public, config.public_may_be_open())
        .or_else(|| wildcard(&admin, config.admin_may_be_open()));
    if let Some(address) = exposed {
        return Err(StartError::OpenToAll(address));
    }
    let server = &config.server;
    let public = open_plane("server.listen", &server.listen, public).await?;
    let admin = match open_plane("server.admin", &server.admin, admin).await {
        Err(error) if server.admin_may_move && error.is_in_use() => {
            let free = server.admin.iter().map(with_free_port);
            let admin = open_plane("server.admin", &free.collect::<Vec<_>>(), Vec::new()).await?;
            tracing::info!(
                at = ?admin.addresses,
                %error,
                "the configured admin address is in use; using another"
            );
            admin
        }
        opened => opened?,
    };
    Ok((public, admin))
}

fn with_free_port(address: &Listen) -> Listen {
    match address {
        Listen::Tcp(address) => Listen::Tcp(SocketAddr::new(address.ip(), 0)),
        Listen::Localhost(_) => Listen::Localhost(0),
        Listen::Unix(path) => Listen::Unix(path.clone()),
    }
}

async fn open_plane(
    key: &'static str,
    configured: &[Listen],
    inherited: Vec<InheritedSocket>,
) -> Result<PlaneListeners, StartError> {
    let mut plane = PlaneListeners {
        acceptors: Vec::new(),
        addresses: Vec::new(),
        socket_files: Vec::new(),
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
    for InheritedSocket { listener, address } in inherited {
        tracing::info!(key, at = %address, "the service manager passed this socket; the configured addresses are not used");
        let acceptor = match listener {
            StdListener::Tcp(listener) => TcpListener::from_std(listener).map(Acceptor::Tcp),
            StdListener::Unix(listener) => UnixListener::from_std(listener).map(Acceptor::Unix),
        };
        let acceptor = acceptor.map_err(|source| StartError::Listen {
            address: address.clone(),
            source,
        })?;
        plane.acceptors.push(acceptor);
        plane.addresses.push(address);
    }
    Ok(plane)
}

impl PlaneListeners {
    fn add(&mut self, listener: TcpListener) -> io::Result<()> {
        self.addresses.push(Listen::Tcp(listener.local_addr()?));
        self.acceptors.push(Acceptor::Tcp(listener));
        Ok(())
    }

    async fn bind(&mut self, address: &Listen) -> io::Result<()> {
        match address {
            Listen::Tcp(address) => self.add(bind_tcp(*address).await?)?,
            Listen::Localhost(port) => {
                for listener in bind_localhost(*port).await? {
                    self.add(listener)?;
                }
            }
            Listen::Unix(path) => {
                if UnixStream::connect(path).await.is_ok() {
                    return Err(io::ErrorKind::AddrInUse.into());
                }
                // A socket without a listener was left behind by a killed process.
                if let Ok(found) = std::fs::symlink_metadata(path) {
                    if !std::os::unix::fs::FileTypeExt::is_socket(&found.file_type()) {
                        let message = "the file already exists and is not a socket";
                        return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
                    }
                    std::fs::remove_file(path)?;
                }
                let listener = UnixListener::bind(path)?;
                rustix::net::listen(&listener, BACKLOG)?;
                self.acceptors.push(Acceptor::Unix(listener));
                self.socket_files.push(path.clone());
                self.addresses.push(address.clone());
            }
        }
        Ok(())
    }
}

/// Binds a TCP address.
async fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address).await?;
    rustix::net::listen(&listener, BACKLOG)?;
    Ok(listener)
}

/// Binds a port on the loopback addresses of both families, or of one if the machine lacks the other. Port 0
/// becomes the same port on both.
async fn bind_localhost(port: u16) -> io::Result<Vec<TcpListener>> {
    let mut attempts = 1;
    loop {
        match bind_both(port).await {
            // Another program has the chosen port on the second address.
            Err(error)
                if port == 0
                    && error.kind() == io::ErrorKind::AddrInUse
                    && attempts < MAX_PORT_ATTEMPTS =>
            {
                attempts += 1;
            }
            done => return done,
        }
    }
}

async fn bind_both(mut port: u16) -> io::Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    let mut missing = None;
    for ip in [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()] {
        let address = SocketAddr::new(ip, port);
        match bind_tcp(address).await {
            Ok(listener) => {
                port = listener.local_addr()?.port();
                listeners.push(listener);
            }
            Err(error) if is_missing(&error) => {
                tracing::debug!(%address, %error, "localhost address not available");
                missing = Some(error);
            }
            // The configured address does not say which of the two failed.
            Err(error) => return Err(io::Error::new(error.kind(), format!("{address}: {error}"))),
        }
    }
    match missing {
        Some(error) if listeners.is_empty() => Err(error),
        _ => Ok(listeners),
    }
}

/// Returns whether the machine lacks the address or its family.
fn is_missing(error: &io::Error) -> bool {
    let family = rustix::io::Errno::AFNOSUPPORT.raw_os_error();
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(family)
}

/// Removes sockets that paddock created, except those on which another program listens by now.
pub(crate) fn remove_socket_files(socket_files: &[PathBuf]) {
    for path in socket_files {
        if std::os::unix::net::UnixStream::connect(path).is_err() {
            // The file may be gone already.
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
        let mut plane = PlaneListeners {
            acceptors: Vec::new(),
            addresses: Vec::new(),
            socket_files: Vec::new(),
        };
        plane
            .bind(&Listen::Tcp(([127, 0, 0, 1], 0).into()))
            .await
            .unwrap();
        let Listen::Tcp(address) = plane.addresses[0] else {
            panic!("no port");
        };
        let limit = std::time::Duration::from_millis(900);
        // Beyond the backlog the kernel drops what a client sends to connect, which is sent again after 1 s.
        let mut connected = Vec::new();
        for _ in 0..BURST {
            connected.push(std::net::TcpStream::connect_timeout(&address, limit).unwrap());
        }
    }

    #[tokio::test]
    async fn localhost_is_one_port_of_both_families() {
        let Ok(six) = std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else {
            // This machine has no IPv6, so that one address is all there is.
            assert_eq!(bind_localhost(0).await.unwrap().len(), 1);
            return;
        };
        let bound = bind_localhost(0).await.unwrap();
        let addresses = bound.iter().map(|listener| listener.local_addr().unwrap());
        let addresses: Vec<SocketAddr> = addresses.collect();
        assert!(
            addresses[0].is_ipv4() && addresses[1].is_ipv6() && addresses.len() == 2,
            "{addresses:?}"
        );
        assert_eq!(addresses[0].port(), addresses[1].port());
        // A port that another program uses on one of the two addresses is not taken at all.
        let taken = six.local_addr().unwrap();
        let error = bind_localhost(taken.port()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(error.to_string().starts_with(&taken.to_string()), "{error}");
    }

    #[test]
    fn an_address_that_the_machine_lacks_is_no_error_of_the_other() {
        let error = |number| io::Error::from_raw_os_error(number);
        // EADDRNOTAVAIL and EAFNOSUPPORT, EADDRINUSE and EACCES of Linux (errno(3)).
        assert!(is_missing(&error(99)) && is_missing(&error(97)));
        assert!(!is_missing(&error(98)) && !is_missing(&error(13)));
    }

    #[test]
    fn a_socket_that_is_another_programs_by_now_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.sock");
        let socket_files = [path.clone()];
        let other = std::os::unix::net::UnixListener::bind(&path).unwrap();
        remove_socket_files(&socket_files);
        assert!(path.exists());
        drop(other);
        remove_socket_files(&socket_files);
        assert!(!path.exists());
    }
}
