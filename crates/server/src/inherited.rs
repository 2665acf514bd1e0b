//! Sockets that a service manager opened and handed over: socket activation, as `sd_listen_fds(3)` has it.
//!
//! They outlive paddock, so that while it restarts clients wait instead of being refused.

use listenfd::ListenFd;
use paddock_config::Listen;
use std::env;
use std::io;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// The number of the first descriptor that is handed over.
const FIRST: usize = 3;

/// Sockets that were handed over, by the plane they are for.
#[derive(Debug, Default)]
pub struct Inherited {
    pub(crate) public: Vec<Socket>,
    pub(crate) admin: Vec<Socket>,
}

/// One of them, and its address.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) listener: Listener,
    pub(crate) at: Listen,
}

#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Why sockets that were handed over are not taken.
#[derive(Debug, thiserror::Error)]
pub enum InheritedError {
    /// `LISTEN_FDS` is not a number of sockets.
    #[error(
        "LISTEN_FDS is `{0}`, which is not a number of sockets: it is for the service manager to set"
    )]
    Count(String),
    /// There are more or fewer names than sockets.
    #[error(
        "LISTEN_FDNAMES has {names} names for {sockets} sockets: it is for the service manager to set"
    )]
    Names {
        /// The names.
        names: usize,
        /// The sockets.
        sockets: usize,
    },
    /// No plane is called so.
    #[error(
        "descriptor {number} was handed over with the name `{name}`, and paddock knows `public` and \
         `admin`: set FileDescriptorName= in the socket unit to one of them"
    )]
    Name {
        /// The descriptor.
        number: usize,
        /// Its name.
        name: String,
    },
    /// Which of two units is for which plane is not said.
    #[error(
        "the sockets of {first} and of {second} have no names of their own: set \
         FileDescriptorName=public or FileDescriptorName=admin in both units"
    )]
    Units {
        /// A unit.
        first: String,
        /// Another one.
        second: String,
    },
    /// Nobody can connect to it.
    #[error(
        "descriptor {number} was handed over and cannot be listened on: {source}; a socket unit needs \
         ListenStream= and Accept=no"
    )]
    Socket {
        /// The descriptor.
        number: usize,
        /// What is wrong with it.
        source: io::Error,
    },
}

/// What a socket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plane {
    Public,
    Admin,
}

impl Inherited {
    /// Takes the sockets that were handed over to this process, if there are any.
    ///
    /// It also removes `LISTEN_FDS` and `LISTEN_PID` from the environment, so it comes before any thread.
    ///
    /// # Errors
    /// They are not what a service manager hands over, or it is not said what they are for.
    pub fn take() -> Result<Self, InheritedError> {
        let variable = |name| env::var(name).unwrap_or_default();
        // What is meant for another process has come here by accident.
        if variable("LISTEN_PID") != std::process::id().to_string() {
            return Ok(Self::default());
        }
        let (count, names) = (variable("LISTEN_FDS"), variable("LISTEN_FDNAMES"));
        let count = match count.parse::<u16>() {
            Ok(count) => usize::from(count),
            Err(_) => return Err(InheritedError::Count(count)),
        };
        let planes = planes(count, &names)?;
        let mut from = ListenFd::from_env();
        let mut inherited = Self::default();
        for (index, plane) in planes.into_iter().enumerate() {
            let socket = socket(&mut from, index).map_err(|source| InheritedError::Socket {
                number: FIRST + index,
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

/// Says what each socket is for. One without a name of its own bears its unit's, or none.
fn planes(count: usize, names: &str) -> Result<Vec<Plane>, InheritedError> {
    let names: Vec<&str> = match names {
        "" => vec![""; count],
        names => names.split(':').collect(),
    };
    if names.len() != count {
        return Err(InheritedError::Names {
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
            name => return Err(unclear(index, name, unit)),
        });
    }
    Ok(planes)
}

/// Why a name does not say the plane. An unnamed socket before it bore that unit's name.
fn unclear(index: usize, name: &str, unit: Option<&str>) -> InheritedError {
    match unit {
        Some(first) if is_unnamed(name) => InheritedError::Units {
            first: first.to_owned(),
            second: name.to_owned(),
        },
        _ => InheritedError::Name {
            number: FIRST + index,
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

fn socket(from: &mut ListenFd, index: usize) -> io::Result<Socket> {
    let gone = || io::Error::from(io::ErrorKind::NotFound);
    if let Ok(listener) = from.take_unix_listener(index) {
        let listener = listener.ok_or_else(gone)?;
        accepts(&listener)?;
        listener.set_nonblocking(true)?;
        let at = Listen::Unix(path(&listener.local_addr()?));
        let listener = Listener::Unix(listener);
        return Ok(Socket { listener, at });
    }
    let listener = from.take_tcp_listener(index)?.ok_or_else(gone)?;
    accepts(&listener)?;
    listener.set_nonblocking(true)?;
    let at = Listen::Tcp(listener.local_addr()?);
    let listener = Listener::Tcp(listener);
    Ok(Socket { listener, at })
}

/// One that is connected is what `Accept=yes` hands over.
fn accepts(socket: impl AsFd) -> io::Result<()> {
    if rustix::net::sockopt::socket_acceptconn(socket)? {
        return Ok(());
    }
    Err(io::Error::other("it takes no connections"))
}

/// Where a socket is, as people write it; `@` begins a name without a file.
fn path(address: &std::os::unix::net::SocketAddr) -> PathBuf {
    let name = address.as_abstract_name();
    let name = name.map(|name| format!("@{}", String::from_utf8_lossy(name)));
    let path = address.as_pathname().map(Path::to_owned);
    path.or_else(|| name.map(PathBuf::from)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(count: usize, names: &str) -> String {
        match planes(count, names) {
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
            assert_eq!(told(count, names), expected, "{names}");
        }
    }

    #[test]
    fn names_that_say_nothing_are_refused() {
        for (count, names, words) in [
            (1, "public:admin", "2 names for 1 sockets"),
            (2, "public", "1 names for 2 sockets"),
            (
                2,
                "public:web",
                "descriptor 4 was handed over with the name `web`",
            ),
            (
                2,
                "a.socket:b.socket",
                "the sockets of a.socket and of b.socket",
            ),
        ] {
            let told = told(count, names);
            assert!(told.contains(words), "{told}");
        }
    }
}
