//! Properties of sockets that only Linux has: abstract names, and whether a socket listens.

#[cfg(not(target_os = "linux"))]
pub(crate) use fallback::*;
#[cfg(target_os = "linux")]
pub(crate) use linux::*;

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::os::fd::AsFd;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;

    /// Returns the address with this abstract name.
    pub(crate) fn from_abstract_name(name: &[u8]) -> Option<SocketAddr> {
        SocketAddr::from_abstract_name(name).ok()
    }

    /// Returns the abstract name of an address, if the address is one.
    pub(crate) fn abstract_name(address: &SocketAddr) -> Option<&[u8]> {
        address.as_abstract_name()
    }

    /// Returns true if a socket accepts connections.
    pub(crate) fn is_listening(socket: impl AsFd) -> io::Result<bool> {
        rustix::net::sockopt::socket_acceptconn(socket).map_err(Into::into)
    }
}

#[cfg(any(test, not(target_os = "linux")))]
#[expect(clippy::unnecessary_wraps, reason = "the same signatures as on Linux")]
mod fallback {
    use std::io;
    use std::os::fd::AsFd;
    use std::os::unix::net::SocketAddr;

    /// Returns `None`: this system has no abstract names.
    pub(crate) fn from_abstract_name(_: &[u8]) -> Option<SocketAddr> {
        None
    }

    /// Returns `None`: this system has no abstract names.
    pub(crate) fn abstract_name(_: &SocketAddr) -> Option<&[u8]> {
        None
    }

    /// Returns true: this system does not tell, and the first `accept(2)` reports a socket that does not listen.
    pub(crate) fn is_listening(_: impl AsFd) -> io::Result<bool> {
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::fallback;
    use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

    #[cfg(target_os = "linux")]
    #[test]
    fn an_abstract_name_and_a_listening_socket_are_recognised() {
        use super::linux;

        let address = linux::from_abstract_name(b"paddock-test").unwrap();
        assert_eq!(linux::abstract_name(&address), Some(&b"paddock-test"[..]));
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("socket")).unwrap();
        assert!(linux::is_listening(listener).unwrap());
        assert!(!linux::is_listening(UnixStream::pair().unwrap().0).unwrap());
    }

    #[test]
    fn other_systems_have_paths_only_and_leave_the_check_to_accept() {
        assert!(fallback::from_abstract_name(b"paddock-test").is_none());
        let address = SocketAddr::from_pathname("/run/socket").unwrap();
        assert_eq!(fallback::abstract_name(&address), None);
        assert!(fallback::is_listening(UnixStream::pair().unwrap().0).unwrap());
    }
}
