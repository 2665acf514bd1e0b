//! Checks whether the configured addresses can be listened on.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::time::Duration;

use paddock_server::config::{Config, Listen, Problem};

const ADDRESS_HELP: &str = "choose another address, or free this one";

/// Longest wait for a connection to this machine.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(300);

/// Finds the addresses of a configuration that cannot be listened on.
pub(crate) fn find_unavailable(config: &Config) -> Vec<Problem> {
    let listen = config
        .server
        .listen
        .iter()
        .map(|address| ("server.listen", address));
    let admin = config
        .server
        .admin
        .iter()
        .map(|address| ("server.admin", address));
    let problems = listen.chain(admin).filter_map(|(key, address)| {
        let message = match address {
            Listen::Unix(path) => unix_problem(path),
            tcp => tcp_problem(&tcp.tcp_addresses()),
        }?;
        Some(Problem::new(message).key(key).help(ADDRESS_HELP))
    });
    problems.collect()
}

/// Returns why none of these addresses can be bound, or which one is in use.
fn tcp_problem(addresses: &[SocketAddr]) -> Option<String> {
    let refused: Vec<String> = addresses
        .iter()
        .filter_map(|address| bind_error(*address))
        .collect();
    if refused.len() == addresses.len() {
        return refused.into_iter().next();
    }
    let taken = addresses
        .iter()
        .find(|address| accepts_connections(**address));
    taken.map(|address| in_use_message(address))
}

fn in_use_message(address: &dyn std::fmt::Display) -> String {
    format!("another process is listening on {address}")
}

/// Returns why an address cannot be bound, ignoring other listeners. A UDP socket needs the same rights and, unlike
/// a TCP listener, cannot take a client's connection meanwhile.
fn bind_error(address: SocketAddr) -> Option<String> {
    let error = UdpSocket::bind(address).err()?;
    match error.kind() {
        ErrorKind::AddrNotAvailable => Some(format!(
            "{} is not an address of this machine",
            address.ip()
        )),
        ErrorKind::PermissionDenied => Some(format!(
            "port {} requires privileges because it is below 1024",
            address.port()
        )),
        _ => None,
    }
}

/// Returns whether a connection to this machine is accepted.
fn accepts_connections(address: SocketAddr) -> bool {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let address = SocketAddr::new(ip, address.port());
    address.port() != 0 && TcpStream::connect_timeout(&address, CONNECT_TIMEOUT).is_ok()
}

/// Returns why a socket cannot be created at a path. A socket without a listener is no obstacle.
#[cfg(unix)]
fn unix_problem(path: &Path) -> Option<String> {
    use std::os::unix::fs::FileTypeExt;
    use std::os::unix::net::UnixStream;

    let Ok(found) = path.symlink_metadata() else {
        let directory = path.parent().unwrap_or(Path::new("/"));
        let is_there = directory.as_os_str().is_empty() || directory.is_dir();
        return (!is_there).then(|| format!("there is no directory {}", directory.display()));
    };
    let kind = found.file_type();
    if !kind.is_socket() {
        return Some(format!(
            "{} already exists and is not a socket",
            path.display()
        ));
    }
    UnixStream::connect(path)
        .is_ok()
        .then(|| in_use_message(&path.display()))
}

#[cfg(not(unix))]
fn unix_problem(_: &Path) -> Option<String> {
    Some("unix sockets are not supported on this system".to_owned())
}
