//! Chooses the address, and makes the private directory, of each child of an instance. An instance runs one child after
//! another; the number of a child is its generation.
//!
//! The sandbox grants each directory to one child only: a child that could create files beside another one's
//! socket could take its place.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder},
    io,
    net::{Ipv4Addr, TcpListener},
    os::unix::{ffi::OsStrExt as _, fs::DirBuilderExt as _},
    path::{Path, PathBuf},
};

use crate::{Address, InstanceSpec, Transport};

/// The longest path of a unix socket, in bytes.
///
/// `sun_path` holds 108 bytes on Linux with its terminating zero (unix(7)), and 104 on macOS.
const MAX_SOCKET_PATH_BYTES: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// The socket's name in the child's private directory.
const SOCKET_FILE_NAME: &str = "s.sock";

/// The maximum number of bytes of an instance's name in its directory's name.
const MAX_NAME_BYTES: usize = 40;

/// The minimum number of bytes worth keeping of a name: a hash of eight digits and its hyphen.
const MIN_NAME_BYTES: usize = 9;

/// An address that belongs to one child. The directory of a unix socket is created before the child and removed
/// after it with everything in it: the child leaves its socket behind (llama.cpp b11434).
#[derive(Debug)]
pub(crate) struct ChildSocket {
    address: Address,
    /// The child's private directory.
    directory: Option<PathBuf>,
}

impl ChildSocket {
    /// Creates the child's private directory, which only this user can enter. Removes leftovers of an earlier
    /// run at the same path.
    ///
    /// # Errors
    ///
    /// The system denies it.
    pub(crate) fn new(address: Address) -> Result<Self, AddressError> {
        let directory = match &address {
            Address::Unix(path) => path.parent().map(Path::to_owned),
            Address::Tcp(_) => None,
        };
        if let Some(directory) = &directory {
            make_private(directory).map_err(|source| AddressError::Directory {
                path: directory.clone(),
                source,
            })?;
        }
        Ok(Self { address, directory })
    }

    pub(crate) const fn address(&self) -> &Address {
        &self.address
    }
}

impl Drop for ChildSocket {
    fn drop(&mut self) {
        if let Some(path) = &self.directory
            && let Err(error) = fs::remove_dir_all(path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %path.display(), %error, "cannot remove the child's directory");
        }
    }
}

fn make_private(path: &Path) -> io::Result<()> {
    let make = || DirBuilder::new().mode(0o700).create(path);
    match make() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // A link at this path is removed, not followed.
            fs::remove_dir_all(path).or_else(|_| fs::remove_file(path))?;
            make()
        }
        made => made,
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
}

impl Address {
    /// Returns the environment variable equivalent to [`Self::arguments`], for a unix socket.
    ///
    /// An argument takes precedence over it (llama.cpp b11434, common/arg.cpp).
    pub(crate) fn variable(&self) -> Option<(OsString, OsString)> {
        match self {
            Self::Unix(path) => Some(("LLAMA_ARG_HOST".into(), path.into())),
            Self::Tcp(_) => None,
        }
    }
}

/// The reason for which no address could be chosen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AddressError {
    #[error(
        "a socket in {} would have a path longer than {MAX_SOCKET_PATH_BYTES} bytes; set server.runtime_dir to a \
         shorter path",
        .0.display()
    )]
    TooLong(PathBuf),
    #[error("cannot create the child's directory {}: {source}; make server.runtime_dir writable", path.display())]
    Directory {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "no free port on 127.0.0.1: {0}; stop the programs that use the ports, or use unix sockets"
    )]
    NoPort(#[source] io::Error),
}

impl InstanceSpec {
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

/// Builds `DIR/NAME-GENERATION/s.sock` with as much of the name as fits.
fn socket_path(dir: &Path, name: &str, generation: u64) -> Result<PathBuf, AddressError> {
    let suffix = format!("-{generation}/{SOCKET_FILE_NAME}");
    let used = dir.as_os_str().as_bytes().len() + 1 + suffix.len();
    let room = MAX_SOCKET_PATH_BYTES
        .saturating_sub(used)
        .min(MAX_NAME_BYTES);
    if room < MIN_NAME_BYTES {
        return Err(AddressError::TooLong(dir.to_owned()));
    }
    Ok(dir.join(file_name(name, room) + &suffix))
}

/// Makes a name safe and short. A changed name gets a hash of the original, so that names that look alike
/// afterwards stay distinct.
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
    let kept = &clean[..clean.len().min(room - MIN_NAME_BYTES)];
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
            "/run/paddock/gemma-3.Q4-7/s.sock"
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
        for length in 1..(MAX_SOCKET_PATH_BYTES - 27) {
            let path = path(&"d".repeat(length), &name);
            assert!(path.len() <= MAX_SOCKET_PATH_BYTES, "{} bytes", path.len());
            assert!(path.ends_with("-7/s.sock"));
        }
        let long = "d".repeat(MAX_SOCKET_PATH_BYTES - 10);
        let refused = socket_path(Path::new(&long), "m", 1).unwrap_err();
        assert!(
            refused
                .to_string()
                .contains("server.runtime_dir to a shorter path")
        );
    }

    #[test]
    fn addresses_become_arguments() {
        let unix = Address::Unix("/r/m-1/s.sock".into());
        assert_eq!(unix.arguments(), ["--host", "/r/m-1/s.sock"]);
        let tcp = Address::Tcp(([127, 0, 0, 1], 4711).into());
        assert_eq!(tcp.arguments(), ["--host", "127.0.0.1", "--port", "4711"]);
    }

    #[test]
    fn the_directory_is_private_empty_and_removed_with_the_socket() {
        let place = std::env::temp_dir().join(format!("paddock-socket-{}", std::process::id()));
        fs::create_dir_all(place.join("m-1/stale")).unwrap();
        let mode = |path: &Path| {
            let permissions = fs::metadata(path).unwrap().permissions();
            std::os::unix::fs::PermissionsExt::mode(&permissions) & 0o777
        };
        let address = || Address::Unix(socket_path(&place, "m", 1).unwrap());
        let socket = ChildSocket::new(address()).unwrap();
        assert_eq!(mode(&place.join("m-1")), 0o700);
        assert_eq!(fs::read_dir(place.join("m-1")).unwrap().count(), 0);
        fs::write(place.join("m-1/s.sock"), "").unwrap();
        drop(socket);
        assert!(!place.join("m-1").exists());
        // A link is not followed.
        fs::create_dir(place.join("other")).unwrap();
        fs::write(place.join("other/file"), "").unwrap();
        std::os::unix::fs::symlink(place.join("other"), place.join("m-1")).unwrap();
        drop(ChildSocket::new(address()).unwrap());
        assert!(place.join("other/file").exists());
        fs::remove_dir_all(&place).unwrap();
        assert!(matches!(
            ChildSocket::new(address()),
            Err(AddressError::Directory { .. })
        ));
    }
}
