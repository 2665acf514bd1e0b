//! Takes sockets that a service manager opened: socket activation, see `sd_listen_fds(3)`.
//!
//! The sockets outlive paddock, so clients wait during a restart instead of being refused.

use crate::platform_sockets;
use listenfd::ListenFd;
use paddock_config::Listen;
use std::env;
use std::io;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// Number of the first inherited descriptor (`SD_LISTEN_FDS_START`).
const FIRST_DESCRIPTOR: usize = 3;

/// The inherited sockets of the public plane, which serves clients, and of the admin plane, which serves operators.
#[derive(Debug, Default)]
pub struct InheritedSockets {
    pub(crate) public: Vec<InheritedSocket>,
    pub(crate) admin: Vec<InheritedSocket>,
}

/// An inherited socket and its address.
#[derive(Debug)]
pub(crate) struct InheritedSocket {
    pub(crate) listener: StdListener,
    pub(crate) address: Listen,
}

/// A listening socket that tokio does not poll yet.
#[derive(Debug)]
pub(crate) enum StdListener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A reason not to take inherited sockets.
#[derive(Debug, thiserror::Error)]
pub enum SocketActivationError {
    /// `LISTEN_FDS` is not a number of sockets.
    #[error(
        "LISTEN_FDS is `{0}`, which is not a number of sockets; the service manager should set it"
    )]
    Count(String),
    /// There are more or fewer names than sockets.
    #[error(
        "LISTEN_FDNAMES has {names} names for {sockets} sockets; the service manager should set it"
    )]
    Names {
        /// Number of names.
        names: usize,
        /// Number of sockets.
        sockets: usize,
    },
    /// A name is not a plane's.
    #[error(
        "the service manager passed descriptor {number} with the name `{name}`, but paddock knows only \
         `public` and `admin`: set FileDescriptorName= in the socket unit to one of them"
    )]
    Name {
        /// The descriptor.
        number: usize,
        /// The descriptor's name.
        name: String,
    },
    /// Two units do not say which plane each is for.
    #[error(
        "the sockets of {first} and {second} have no names: set \
         FileDescriptorName=public or FileDescriptorName=admin in both units"
    )]
    Units {
        /// A unit.
        first: String,
        /// Another one.
        second: String,
    },
    /// A socket does not accept connections.
    #[error(
        "the service manager passed descriptor {number}, which does not accept connections: {source}; a socket \
         unit needs ListenStream= and Accept=no"
    )]
    Socket {
        /// The descriptor.
        number: usize,
        /// The cause.
        source: io::Error,
    },
}

/// The plane that a socket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plane {
    Public,
    Admin,
}

impl InheritedSockets {
    /// Takes the sockets that this process inherited, if any.
    ///
    /// Also removes `LISTEN_FDS` and `LISTEN_PID` from the environment, so call this before starting threads.
    ///
    /// # Errors
    /// The variables or sockets are invalid, or a socket's plane is unknown.
    pub fn take() -> Result<Self, SocketActivationError> {
        let variable = |name| env::var(name).unwrap_or_default();
        // Sockets for another process were inherited by accident.
        if variable("LISTEN_PID") != std::process::id().to_string() {
            return Ok(Self::default());
        }
        let (count, names) = (variable("LISTEN_FDS"), variable("LISTEN_FDNAMES"));
        let count = match count.parse::<u16>() {
            Ok(count) => usize::from(count),
            Err(_) => return Err(SocketActivationError::Count(count)),
        };
        let planes = parse_planes(count, &names)?;
        let mut from = ListenFd::from_env();
        let mut inherited = Self::default();
        for (index, plane) in planes.into_iter().enumerate() {
            let socket =
                take_socket(&mut from, index).map_err(|source| SocketActivationError::Socket {
                    number: FIRST_DESCRIPTOR + index,
                    source,
                })?;
            match plane {
                Plane::Public => inherited.public.push(socket),
                Plane::Admin => inherited.admin.push(socket),
            }
        }
        Ok(inherited)
    }
}

/// Returns the plane of each socket. systemd gives a socket without a name of its own the name of its unit.
fn parse_planes(count: usize, names: &str) -> Result<Vec<Plane>, SocketActivationError> {
    let names: Vec<&str> = match names {
        "" => vec![""; count],
        names => names.split(':').collect(),
    };
    if names.len() != count {
        return Err(SocketActivationError::Names {
            names: names.len(),
            sockets: count,
        });
    }
    let mut unit = None;
    let mut planes = Vec::new();
    for (index, name) in names.into_iter().enumerate() {
        planes.push(match name {
            "public" => Plane::Public,
            "admin" => Plane::Admin,
            name if is_unnamed(name) && *unit.get_or_insert(name) == name => Plane::Public,
            name => return Err(plane_error(index, name, unit)),
        });
    }
    Ok(planes)
}

/// Returns the error for a name that does not say the plane. `unit` is the name of an earlier unnamed socket.
fn plane_error(index: usize, name: &str, unit: Option<&str>) -> SocketActivationError {
    match unit {
        Some(first) if is_unnamed(name) => SocketActivationError::Units {
            first: first.to_owned(),
            second: name.to_owned(),
        },
        _ => SocketActivationError::Name {
            number: FIRST_DESCRIPTOR + index,
            name: name.to_owned(),
        },
    }
}

fn is_unnamed(name: &str) -> bool {
    let is_unit = Path::new(name)
        .extension()
        .is_some_and(|kind| kind == "socket");
    matches!(name, "" | "unknown") || is_unit
}

fn take_socket(from: &mut ListenFd, index: usize) -> io::Result<InheritedSocket> {
    let missing = || io::Error::from(io::ErrorKind::NotFound);
    if let Ok(listener) = from.take_unix_listener(index) {
        let listener = listener.ok_or_else(missing)?;
        check_listening(&listener)?;
        listener.set_nonblocking(true)?;
        let address = Listen::Unix(address_path(&listener.local_addr()?));
        let listener = StdListener::Unix(listener);
        return Ok(InheritedSocket { listener, address });
    }
    let listener = from.take_tcp_listener(index)?.ok_or_else(missing)?;
    check_listening(&listener)?;
    listener.set_nonblocking(true)?;
    let address = Listen::Tcp(listener.local_addr()?);
    let listener = StdListener::Tcp(listener);
    Ok(InheritedSocket { listener, address })
}

/// Returns an error for a socket that does not listen: `Accept=yes` hands over connected ones.
fn check_listening(socket: impl AsFd) -> io::Result<()> {
    if platform_sockets::is_listening(socket)? {
        return Ok(());
    }
    Err(io::Error::other("not a listening socket"))
}

/// Formats a unix socket's address for people; `@` begins an abstract name.
fn address_path(address: &std::os::unix::net::SocketAddr) -> PathBuf {
    let name = platform_sockets::abstract_name(address);
    let name = name.map(|name| format!("@{}", String::from_utf8_lossy(name)));
    let path = address.as_pathname().map(Path::to_owned);
    path.or_else(|| name.map(PathBuf::from)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn describe(count: usize, names: &str) -> String {
        match parse_planes(count, names) {
            Ok(planes) => planes
                .iter()
                .map(|plane| format!("{plane:?}"))
                .collect::<Vec<_>>()
                .join(" "),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn names_say_the_plane_and_what_has_none_is_public() {
        for (count, names, expected) in [
            (0, "", ""),
            (2, "", "Public Public"),
            (2, "public:admin", "Public Admin"),
            (3, "admin:public:admin", "Admin Public Admin"),
            (2, "unknown:unknown", "Public Public"),
            (2, "paddock.socket:paddock.socket", "Public Public"),
            (2, "paddock.socket:admin", "Public Admin"),
        ] {
            assert_eq!(describe(count, names), expected, "{names}");
        }
    }

    #[test]
    fn names_that_say_nothing_are_refused() {
        for (count, names, words) in [
            (1, "public:admin", "2 names for 1 sockets"),
            (2, "public", "1 names for 2 sockets"),
            (2, "public:web", "descriptor 4 with the name `web`"),
            (
                2,
                "a.socket:b.socket",
                "the sockets of a.socket and b.socket",
            ),
        ] {
            let message = describe(count, names);
            assert!(message.contains(words), "{message}");
        }
    }
}
