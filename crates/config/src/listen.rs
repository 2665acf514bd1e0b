//! Parses the addresses on which paddock listens: `HOST:PORT`, `localhost:PORT` or `unix:PATH`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The only host name that is accepted in place of an IP address.
pub(super) const LOCALHOST: &str = "localhost";

/// Maximum length of a unix socket's path on Linux, with the terminating zero.
const MAX_UNIX_PATH_BYTES: usize = 108;

/// An address to listen on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Listen {
    /// A TCP address.
    Tcp(SocketAddr),
    /// A port on the IPv4 and the IPv6 loopback address: clients that resolve `localhost` may try either first
    /// (RFC 6761 §6.3).
    Localhost(u16),
    /// The path of a unix socket.
    Unix(PathBuf),
}

/// Reason why a text is not an address to listen on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListenError {
    /// Neither form.
    #[error("expected HOST:PORT or unix:PATH, found `{0}`")]
    Form(String),
    /// A name in place of an IP address.
    #[error("`{0}` is a host name; give an IP address, or `localhost`")]
    Name(String),
    /// Not a port.
    #[error("`{0}` is not a port; ports range from 0 (any free port) to 65535")]
    Port(String),
    /// No path after `unix:`.
    #[error("`unix:` must be followed by a path")]
    NoPath,
    /// A path the system cannot bind.
    #[error("the socket path has {0} bytes; the maximum is 107")]
    LongPath(usize),
}

impl Listen {
    /// Returns whether this is a TCP address that is open to every network the machine is on.
    pub fn is_wildcard(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_unspecified(),
            Self::Localhost(_) | Self::Unix(_) => false,
        }
    }

    /// Returns whether clients on other machines may be able to reach this address.
    pub fn reaches_other_machines(&self) -> bool {
        match self {
            Self::Tcp(address) => !address.ip().to_canonical().is_loopback(),
            Self::Localhost(_) | Self::Unix(_) => false,
        }
    }

    /// Creates the address of a unix socket, if its path can be bound.
    ///
    /// # Errors
    ///
    /// [`ListenError::NoPath`] and [`ListenError::LongPath`].
    pub fn unix(path: &Path) -> Result<Self, ListenError> {
        match path.as_os_str().len() {
            0 => Err(ListenError::NoPath),
            length if length >= MAX_UNIX_PATH_BYTES => Err(ListenError::LongPath(length)),
            _ => Ok(Self::Unix(path.to_owned())),
        }
    }

    /// Returns the TCP addresses to bind.
    pub fn tcp_addresses(&self) -> Vec<SocketAddr> {
        match self {
            Self::Tcp(address) => vec![*address],
            Self::Localhost(port) => localhost(*port).to_vec(),
            Self::Unix(_) => Vec::new(),
        }
    }

    /// Returns whether one process cannot bind both at the same time.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        if let (Self::Unix(one), Self::Unix(two)) = (self, other) {
            return one == two;
        }
        let others = other.tcp_addresses();
        let shares = |one: &SocketAddr| others.iter().any(|two| overlap(one, two));
        self.tcp_addresses().iter().any(shares)
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Localhost(port) => write!(f, "localhost:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl FromStr for Listen {
    type Err = ListenError;

    fn from_str(text: &str) -> Result<Self, ListenError> {
        if let Some(path) = text.strip_prefix("unix:") {
            return Self::unix(Path::new(path));
        }
        let form = || ListenError::Form(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(form)?;
        let ip = host_ip(host);
        if ip.is_none() && host != LOCALHOST {
            return Err(match host {
                "" | "*" => form(),
                host if host.contains([':', '/', '[', ']']) => form(),
                host => ListenError::Name(host.to_owned()),
            });
        }
        let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let number = port.parse().ok().filter(|_| digits);
        let port = number.ok_or_else(|| ListenError::Port(port.to_owned()))?;
        Ok(match ip {
            Some(ip) => Self::Tcp(SocketAddr::new(ip, port)),
            None => Self::Localhost(port),
        })
    }
}

/// Returns the IPv4 and the IPv6 loopback address.
fn localhost(port: u16) -> [SocketAddr; 2] {
    [
        (Ipv4Addr::LOCALHOST, port).into(),
        (Ipv6Addr::LOCALHOST, port).into(),
    ]
}

/// Returns whether two addresses cannot be bound at the same time.
fn overlap(one: &SocketAddr, two: &SocketAddr) -> bool {
    let (a, b) = (one.ip().to_canonical(), two.ip().to_canonical());
    let same = a == b || (a.is_ipv4() == b.is_ipv4() && (a.is_unspecified() || b.is_unspecified()));
    one.port() == two.port() && one.port() != 0 && same
}

/// Reads an IPv4 address, or an IPv6 address in brackets.
fn host_ip(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse().ok().map(IpAddr::V6),
        None => host.parse().ok().map(IpAddr::V4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        match text.parse::<Listen>() {
            Ok(listen) => listen.to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn addresses_are_read_and_shown() {
        assert_eq!(parsed("127.0.0.1:8080"), "127.0.0.1:8080");
        assert_eq!(parsed("localhost:0"), "localhost:0");
        assert_eq!(parsed("[::1]:8080"), "[::1]:8080");
        assert_eq!(parsed("unix:/run/p.sock"), "unix:/run/p.sock");
    }

    #[test]
    fn what_is_wrong_is_told() {
        let form = "expected HOST:PORT or unix:PATH, found";
        for text in [
            "8080",
            "::1:8080",
            ":8080",
            "*:80",
            "http://127.0.0.1:80",
            "",
        ] {
            assert_eq!(parsed(text), format!("{form} `{text}`"));
        }
        let name = "`example.org` is a host name; give an IP address, or `localhost`";
        assert_eq!(parsed("example.org:80"), name);
        for port in ["", "65536", "+80", "http"] {
            let expected =
                format!("`{port}` is not a port; ports range from 0 (any free port) to 65535");
            assert_eq!(parsed(&format!("127.0.0.1:{port}")), expected);
        }
        assert_eq!(parsed("unix:"), "`unix:` must be followed by a path");
        let long = format!("unix:/{}", "x".repeat(107));
        assert!(parsed(&long).starts_with("the socket path has 108 bytes"));
    }

    #[test]
    fn wildcards_and_overlaps_are_seen() {
        let listen = |text: &str| text.parse::<Listen>().unwrap();
        assert!(listen("0.0.0.0:1").is_wildcard());
        assert!(listen("[::]:1").is_wildcard());
        assert!(listen("[::ffff:0.0.0.0]:1").is_wildcard());
        assert!(!listen("192.168.1.5:1").is_wildcard());
        assert!(listen("0.0.0.0:1").overlaps(&listen("127.0.0.1:1")));
        assert!(!listen("0.0.0.0:1").overlaps(&listen("[::1]:1")));
        assert!(!listen("127.0.0.1:0").overlaps(&listen("127.0.0.1:0")));
        for address in [
            "127.0.0.1:1",
            "[::1]:1",
            "0.0.0.0:1",
            "[::]:1",
            "localhost:1",
        ] {
            assert!(
                listen("localhost:1").overlaps(&listen(address)),
                "{address}"
            );
        }
        assert!(!listen("localhost:1").overlaps(&listen("127.0.0.2:1")));
        assert!(!listen("localhost:0").overlaps(&listen("localhost:0")));
        assert!(!listen("localhost:1").is_wildcard());
        assert!(!listen("localhost:1").reaches_other_machines());
        assert!(listen("unix:/a").overlaps(&listen("unix:/a")));
    }
}
