//! What a child may do: the rules of its sandbox, and which of them this kernel can enforce.
//!
//! The rules are made here and by who starts the child; [`crate::shim`] carries them out, just before the
//! child's program begins. They hold for the child, for all it starts, and to their end.

mod arguments;
mod kernel_support;

use std::path::{Path, PathBuf};

pub use kernel_support::SandboxSupport;

use crate::Address;

/// The rules of a child's sandbox. Whatever they say, the child gains no new privileges, dumps no core,
/// reaches no signal or abstract socket outside, and sets no limit or priority of another process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sandbox {
    /// What it may do with files besides what every program needs; `None` leaves files open to it, and their
    /// metadata.
    pub files: Option<Vec<PathGrant>>,
    /// Which sockets of the Internet it may use.
    pub network: Network,
    /// Whether it may set the processors and the scheduling class of threads other than its first one. The
    /// kernel takes any thread of the same user.
    pub scheduling: bool,
    /// Whether it is not run at all where the kernel cannot enforce everything.
    pub strict: bool,
}

/// Says which sockets of the Internet, and of other networks, a child may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// Any.
    Open,
    /// None.
    #[default]
    Closed,
    /// TCP alone; it may bind this port.
    Listen(u16),
}

/// A path, with all below it, and what may be done there. One that does not exist grants nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathGrant {
    /// What may be done.
    pub right: AccessRight,
    /// Where. Links are followed.
    pub path: PathBuf,
}

/// What may be done with a path.
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
    /// Grants this for a path.
    pub fn at(self, path: impl Into<PathBuf>) -> PathGrant {
        let path = path.into();
        PathGrant { right: self, path }
    }
}

impl Sandbox {
    /// Lets the child listen where it is told to.
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
