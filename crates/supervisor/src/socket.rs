//! Where one generation of a child listens.

use std::{
    ffi::OsString,
    io,
    net::{Ipv4Addr, TcpListener},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use crate::{Address, Spec, Transport};

/// The longest path a unix socket can be bound to, in bytes.
///
/// `sun_path` holds 108 bytes on Linux with its terminating zero (unix(7)), and 104 on macOS.
const SUN_PATH: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// The most bytes of an instance's name that appear in its socket's name.
const NAME_MAX: usize = 40;

/// The fewest bytes of a name that are worth keeping: a hash of eight digits and its hyphen.
const NAME_MIN: usize = 9;

/// An address that belongs to one child. The file of a unix socket is removed before the child is there
/// and after it is gone: the child itself leaves it behind (llama.cpp b11434).
#[derive(Debug)]
pub(crate) struct Socket(Address);

impl Socket {
    pub(crate) fn new(address: Address) -> Self {
        address.unlink();
        Self(address)
    }

    pub(crate) const fn address(&self) -> &Address {
        &self.0
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.0.unlink();
    }
}

impl Address {
    /// Builds the arguments that make the child listen here.
    ///
    /// A `--host` that ends in `.sock` is a unix socket (llama.cpp b11434,
    /// tools/server/server-http.cpp).
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        match self {
            Self::Unix(path) => vec!["--host".into(), path.into()],
            Self::Tcp(address) => vec![
                "--host".into(),
                address.ip().to_string().into(),
                "--port".into(),
                address.port().to_string().into(),
            ],
        }
    }

    /// Removes what is left of the socket in the file system.
    fn unlink(&self) {
        if let Self::Unix(path) = self
            && let Err(error) = std::fs::remove_file(path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %path.display(), %error, "cannot remove the socket");
        }
    }
}

/// Says why no address could be chosen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AddressError {
    #[error(
        "a socket in {} would have a path of more than {SUN_PATH} bytes; choose a shorter runtime directory",
        .0.display()
    )]
    TooLong(PathBuf),
    #[error("no free port on 127.0.0.1: {0}; stop what holds the ports, or use unix sockets")]
    NoPort(#[source] io::Error),
}

impl Spec {
    /// Chooses the address of one generation.
    ///
    /// # Errors
    ///
    /// The runtime directory's path is too long for a socket, or the system has no free port.
    pub(crate) fn address(&self, generation: u64) -> Result<Address, AddressError> {
        match self.transport {
            Transport::Unix => {
                socket_path(&self.runtime_dir, &self.name, generation).map(Address::Unix)
            }
            Transport::Tcp => TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
                .and_then(|listener| listener.local_addr())
                .map(Address::Tcp)
                .map_err(AddressError::NoPort),
        }
    }
}

/// Builds `DIR/NAME-GENERATION.sock` with as much of the name as fits.
fn socket_path(dir: &Path, name: &str, generation: u64) -> Result<PathBuf, AddressError> {
    let suffix = format!("-{generation}.sock");
    let used = dir.as_os_str().as_bytes().len() + 1 + suffix.len();
    let room = SUN_PATH.saturating_sub(used).min(NAME_MAX);
    if room < NAME_MIN {
        return Err(AddressError::TooLong(dir.to_owned()));
    }
    Ok(dir.join(file_name(name, room) + &suffix))
}

/// Makes a name safe and short. A name that must change for that gets a hash of the original, so two
/// names that look alike afterwards stay apart.
fn file_name(name: &str, room: usize) -> String {
    let safe = |c: char| {
        if c.is_ascii_alphanumeric() || "._-".contains(c) {
            c
        } else {
            '_'
        }
    };
    let clean: String = name.chars().map(safe).collect();
    if clean == name && !name.is_empty() && name.len() <= room {
        return clean;
    }
    let kept = &clean[..clean.len().min(room - NAME_MIN)];
    format!("{kept}-{:08x}", fnv1a(name.as_bytes()))
}

/// Computes the 32-bit FNV-1a hash.
fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(dir: &str, name: &str) -> String {
        socket_path(Path::new(dir), name, 7)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned()
    }

    #[test]
    fn a_plain_name_is_kept() {
        assert_eq!(
            path("/run/paddock", "gemma-3.Q4"),
            "/run/paddock/gemma-3.Q4-7.sock"
        );
    }

    #[test]
    fn names_that_look_alike_when_made_safe_stay_apart() {
        assert_ne!(path("/r", "a/b"), path("/r", "a:b"));
        assert!(path("/r", "../b").starts_with("/r/.._b-"));
        assert!(path("/r", "").starts_with("/r/-"));
    }

    #[test]
    fn no_path_is_longer_than_a_socket_allows() {
        let name = "é".repeat(300);
        for length in 1..(SUN_PATH - 25) {
            let path = path(&"d".repeat(length), &name);
            assert!(path.len() <= SUN_PATH, "{} bytes", path.len());
            assert!(path.ends_with("-7.sock"));
        }
        let long = "d".repeat(SUN_PATH - 10);
        let refused = socket_path(Path::new(&long), "m", 1).unwrap_err();
        assert!(refused.to_string().contains("shorter runtime directory"));
    }

    #[test]
    fn addresses_become_arguments() {
        let unix = Address::Unix("/r/m-1.sock".into());
        assert_eq!(unix.arguments(), ["--host", "/r/m-1.sock"]);
        let tcp = Address::Tcp(([127, 0, 0, 1], 4711).into());
        assert_eq!(tcp.arguments(), ["--host", "127.0.0.1", "--port", "4711"]);
    }
}
