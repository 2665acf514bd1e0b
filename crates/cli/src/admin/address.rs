//! Parses the address of a running paddock's admin API.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// An address at which a paddock serves its admin API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// `HOST:PORT`, where the host may be a name.
    Tcp(String),
    /// The path of a unix socket.
    Unix(PathBuf),
}

/// A text that is not an address.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected HOST:PORT or unix:PATH")]
pub(crate) struct InvalidAddress;

impl Address {
    /// Returns whether the host is a name to resolve.
    pub(super) fn has_name(&self) -> bool {
        matches!(self, Self::Tcp(address) if address.parse::<SocketAddr>().is_err())
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    /// Parses an address, also in the form that `paddock serve` prints: `http://HOST:PORT`.
    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = PathBuf::from(path);
            return if path.as_os_str().is_empty() {
                Err(InvalidAddress)
            } else {
                Ok(Self::Unix(path))
            };
        }
        let text = text.strip_prefix("http://").unwrap_or(text);
        let text = text.strip_suffix('/').unwrap_or(text);
        let (host, port) = text.rsplit_once(':').ok_or(InvalidAddress)?;
        let bracketed = host.starts_with('[') && host.ends_with(']');
        let plain = !host.is_empty() && !host.contains([':', '/', '[', ']']);
        let port: u16 = port.parse().map_err(|_| InvalidAddress)?;
        if port == 0 || !(bracketed || plain) {
            return Err(InvalidAddress);
        }
        Ok(Self::Tcp(format!("{host}:{port}")))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_they_are_shown() {
        for text in [
            "127.0.0.1:8081",
            "example.org:80",
            "[::1]:8081",
            "unix:/run/a.sock",
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        let shown = "http://127.0.0.1:8081/".parse::<Address>().unwrap();
        assert_eq!(shown.to_string(), "127.0.0.1:8081");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "8081",
            "unix:",
            ":80",
            "a:0",
            "a:65536",
            "::1:80",
            "http://a/b:1",
            "a:",
        ] {
            assert_eq!(text.parse::<Address>(), Err(InvalidAddress), "{text}");
        }
    }
}
