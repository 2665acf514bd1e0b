//! Where clients and operators connect: sockets that were handed over, or else what is configured.

use crate::inherited::{Inherited, Listener, Socket};
use crate::service::StartError;
use paddock_config::{Config, Listen};
use paddock_proxy::Acceptor;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use tokio::net::{TcpListener, UnixListener, UnixStream};

/// Connections that wait to be accepted on each socket; the kernel takes `net.core.somaxconn` if that is
/// less. tokio asks for 1,024 or fewer. Linux sets the length anew when a socket that listens is told to
/// listen (`inet_listen` in `net/ipv4/af_inet.c`, `unix_listen` in `net/unix/af_unix.c`).
const BACKLOG: i32 = 4096;

/// How often a free port is looked for that both of this machine's own addresses have.
const PORT_TRIES: usize = 16;

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
        Listen::Localhost(_) => Listen::Localhost(0),
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
    fn add(&mut self, listener: TcpListener) -> io::Result<()> {
        self.at.push(Listen::Tcp(listener.local_addr()?));
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

/// Binds a TCP address.
async fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address).await?;
    rustix::net::listen(&listener, BACKLOG)?;
    Ok(listener)
}

/// Binds a port on this machine's own addresses, of both families if the machine has both. A port that is chosen
/// is the same on both.
async fn bind_localhost(port: u16) -> io::Result<Vec<TcpListener>> {
    let mut tries = 1;
    loop {
        match bind_both(port).await {
            // Another program has the chosen port on the second address.
            Err(error)
                if port == 0 && error.kind() == io::ErrorKind::AddrInUse && tries < PORT_TRIES =>
            {
                tries += 1;
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
                tracing::debug!(%address, %error, "this machine lacks an address of localhost");
                missing = Some(error);
            }
            // Whose other half is not paddock's is not named by the configured address.
            Err(error) => return Err(io::Error::new(error.kind(), format!("{address}: {error}"))),
        }
    }
    match missing {
        Some(error) if listeners.is_empty() => Err(error),
        _ => Ok(listeners),
    }
}

/// Returns whether the machine has no such address, or not its whole family.
fn is_missing(error: &io::Error) -> bool {
    let family = rustix::io::Errno::AFNOSUPPORT.raw_os_error();
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(family)
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

    #[tokio::test]
    async fn localhost_is_one_port_of_both_families() {
        let Ok(six) = std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else {
            // This machine has no IPv6, so that one address is all there is.
            assert_eq!(bind_localhost(0).await.unwrap().len(), 1);
            return;
        };
        let bound = bind_localhost(0).await.unwrap();
        let at = bound.iter().map(|listener| listener.local_addr().unwrap());
        let at: Vec<SocketAddr> = at.collect();
        assert!(
            at[0].is_ipv4() && at[1].is_ipv6() && at.len() == 2,
            "{at:?}"
        );
        assert_eq!(at[0].port(), at[1].port());
        // A port whose other half belongs to another program is not taken by halves.
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
        let made = [path.clone()];
        let other = std::os::unix::net::UnixListener::bind(&path).unwrap();
        remove(&made);
        assert!(path.exists());
        drop(other);
        remove(&made);
        assert!(!path.exists());
    }
}
