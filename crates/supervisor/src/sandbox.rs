//! Describes the rules of a child's sandbox, and which of them the running kernel can enforce.
//!
//! The sandbox uses Landlock and seccomp. [`crate::shim`] applies the rules just before it executes the child's
//! program. The child and its descendants can never lift them.

mod arguments;
mod kernel_support;

use std::path::{Path, PathBuf};

pub use kernel_support::SandboxSupport;

use crate::Address;

/// The rules of a child's sandbox.
///
/// In any sandbox the child cannot gain privileges, dump core, send signals to processes outside, connect to abstract
/// unix sockets outside, or change the limits or priority of another process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sandbox {
    /// Files that the child may use in addition to those that every program needs; `None` allows all files and
    /// their metadata.
    pub files: Option<Vec<PathGrant>>,
    /// The network access of the child.
    pub network: Network,
    /// True to let the child set the processors and the scheduling class of threads other than its first one.
    /// The kernel then allows it for any thread of the same user.
    pub scheduling: bool,
    /// True to run the child only if the kernel can enforce every rule.
    pub strict: bool,
}

/// The network sockets that a child may use. Unix sockets are not covered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// All sockets.
    Open,
    /// No socket.
    #[default]
    Closed,
    /// Only TCP; the child may bind this port.
    Listen(u16),
}

/// A path and everything below it, with the access that is allowed. A missing path grants nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathGrant {
    /// The allowed access.
    pub right: AccessRight,
    /// The path. Links are followed.
    pub path: PathBuf,
}

/// A kind of access to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessRight {
    /// Run programs, and read.
    Execute,
    /// Read, and list.
    Read,
    /// Read, make, change and remove.
    Write,
    /// As [`Self::Write`], for a directory that is made if it is missing.
    Keep,
    /// Read and change a file, which is made if it is missing.
    Log,
    /// Read and change files that are there.
    Change,
    /// Read, write and control devices.
    Device,
    /// Make sockets.
    Listen,
}

impl AccessRight {
    /// Makes a grant of this access to a path.
    pub fn at(self, path: impl Into<PathBuf>) -> PathGrant {
        let path = path.into();
        PathGrant { right: self, path }
    }
}

impl Sandbox {
    /// Allows the child to listen on its address.
    #[must_use]
    pub(crate) fn allow_listening(mut self, address: &Address) -> Self {
        match (address, &mut self.files, self.network) {
            (Address::Unix(socket), Some(files), _) => {
                let directory = socket.parent().unwrap_or(Path::new("."));
                files.push(AccessRight::Listen.at(directory));
            }
            (Address::Tcp(at), _, Network::Closed) => self.network = Network::Listen(at.port()),
            (Address::Unix(_) | Address::Tcp(_), _, _) => {}
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_may_listen_where_it_is_told_to_and_nowhere_else() {
        let confined = Sandbox {
            files: Some(Vec::new()),
            ..Sandbox::default()
        };
        let unix = Address::Unix("/run/p/m-1.sock".into());
        let tcp = Address::Tcp(([127, 0, 0, 1], 4711).into());
        let at = confined.clone().allow_listening(&unix);
        assert_eq!(at.files, Some(vec![AccessRight::Listen.at("/run/p")]));
        assert_eq!(at.network, Network::Closed);
        let at = confined.allow_listening(&tcp);
        assert_eq!(at.files, Some(Vec::new()));
        assert_eq!(at.network, Network::Listen(4711));
        let open = Sandbox {
            network: Network::Open,
            ..Sandbox::default()
        };
        assert_eq!(open.clone().allow_listening(&unix), open);
        assert_eq!(open.clone().allow_listening(&tcp), open);
    }
}
