//! Asking whether an address can be listened on.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::time::Duration;

use paddock_server::config::{Config, Listen, Problem};

const HELP: &str = "choose another address, or stop what is in its way";

/// How long an answer from this machine may take.
const LIMIT: Duration = Duration::from_millis(300);

/// Finds the addresses of a configuration that cannot be listened on.
pub(crate) fn taken(config: &Config) -> Vec<Problem> {
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
            Listen::Unix(path) => blocked(path),
            tcp => taken_tcp(&tcp.tcp_addresses()),
        }?;
        Some(Problem::new(message).key(key).help(HELP))
    });
    problems.collect()
}

/// Returns why none of these addresses can be bound, or what stands in the way of those that can.
fn taken_tcp(addresses: &[SocketAddr]) -> Option<String> {
    let refused: Vec<String> = addresses.iter().filter_map(|at| not_ours(*at)).collect();
    if refused.len() == addresses.len() {
        return refused.into_iter().next();
    }
    let taken = addresses.iter().find(|address| answers(**address));
    taken.map(|address| in_use(address))
}

fn in_use(address: &dyn std::fmt::Display) -> String {
    format!("something else listens on {address}")
}

/// Returns why an address cannot be bound, whoever else is there. A datagram socket asks for the
/// same right to the same address, and nobody can connect to it meanwhile.
fn not_ours(address: SocketAddr) -> Option<String> {
    let error = UdpSocket::bind(address).err()?;
    match error.kind() {
        ErrorKind::AddrNotAvailable => {
            Some(format!("{} is no address of this machine", address.ip()))
        }
        ErrorKind::PermissionDenied => Some(format!(
            "port {} needs privileges: it is below 1024",
            address.port()
        )),
        _ => None,
    }
}

/// Returns whether a connection to this machine is accepted.
fn answers(address: SocketAddr) -> bool {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let address = SocketAddr::new(ip, address.port());
    address.port() != 0 && TcpStream::connect_timeout(&address, LIMIT).is_ok()
}

/// Returns why a socket cannot be put at a path; one that nobody answers at is no obstacle.
#[cfg(unix)]
fn blocked(path: &Path) -> Option<String> {
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
            "{} is there already and is not a socket",
            path.display()
        ));
    }
    UnixStream::connect(path)
        .is_ok()
        .then(|| in_use(&path.display()))
}

#[cfg(not(unix))]
fn blocked(_: &Path) -> Option<String> {
    Some("unix sockets are not to be had on this system".to_owned())
}
