//! Decides whether the process behind a unix socket belongs to one child.
//!
//! All children run as the same user, so without a sandbox any of them can bind, rename or replace the
//! socket of another one, and directory permissions do not separate them. The kernel notes with each
//! connection which process has called listen(2) (unix(7), `SO_PEERCRED`), and that cannot be forged.
//! A process belongs to a child
//!
//! 1. if it is the child;
//! 2. if it descends from the child: start scripts make the server a grandchild;
//! 3. if its environment has the child's marker, a variable with a random value: a server that its start script
//!    has detached no longer descends from the child. A process outside a sandbox can read the marker in
//!    `/proc/PID/environ` and copy it. Such a process can also trace the child, so a secret marker would protect
//!    no better.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::net::UnixStream;

use crate::{
    marker::{self, InstanceMarker},
    procfs,
};

/// The maximum number of parents that are followed from a process up to the child: more than start scripts add.
const MAX_DEPTH: usize = 64;

/// Recognises the processes of one child. Clones stand for the same child.
#[derive(Clone, Debug)]
pub struct ChildProcesses(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: Arc<str>,
    /// The child's process id.
    child: i32,
    marker: InstanceMarker,
    /// True once the child has been reaped: its process id may be reused.
    is_gone: AtomicBool,
    /// True once an answer from a process that is not the child's has been logged; later ones are not.
    is_told: AtomicBool,
}

impl ChildProcesses {
    /// Recognises the processes of the child with this process id, whose environment has this marker. `name` is the
    /// instance's, for logs.
    pub fn new(name: Arc<str>, child: u32, marker: InstanceMarker) -> Self {
        Self(Arc::new(Inner {
            name,
            child: child.cast_signed(),
            marker,
            is_gone: AtomicBool::new(false),
            is_told: AtomicBool::new(false),
        }))
    }

    /// Records that the child is gone: from here on no process belongs to it.
    pub(crate) fn retire(&self) {
        self.0.is_gone.store(true, Ordering::Relaxed);
    }

    /// Checks that the process that listens at the other end of a connection belongs to the child. Logs the
    /// first one that does not.
    ///
    /// Systems other than Linux do not show which child a process belongs to; there every process passes.
    ///
    /// # Errors
    ///
    /// The process does not belong to the child, or has ended.
    pub fn verify(&self, stream: &UnixStream) -> io::Result<()> {
        self.identify(stream).map(drop)
    }

    /// Verifies like [`Self::verify`], and returns the process id of the listener; `None` on systems other than
    /// Linux.
    ///
    /// # Errors
    ///
    /// As [`Self::verify`].
    pub(crate) fn identify(&self, stream: &UnixStream) -> io::Result<Option<i32>> {
        if !cfg!(target_os = "linux") {
            return Ok(None);
        }
        let listener = stream.peer_cred()?.pid().unwrap_or(0);
        if self.contains(listener) {
            return Ok(Some(listener));
        }
        let error = StrangerListens {
            listener,
            child: self.0.child,
        };
        if !self.0.is_gone.load(Ordering::Relaxed) && !self.0.is_told.swap(true, Ordering::Relaxed)
        {
            tracing::error!(name = %self.0.name, "{error}");
        }
        Err(io::Error::new(io::ErrorKind::PermissionDenied, error))
    }

    fn contains(&self, pid: i32) -> bool {
        if pid <= 0 || self.0.is_gone.load(Ordering::Relaxed) {
            return false;
        }
        let parent = |pid| procfs::read_stat(pid).map(|stat| stat.parent);
        descends(pid, self.0.child, parent) || self.is_marked(pid)
    }

    fn is_marked(&self, pid: i32) -> bool {
        let mut environment = Vec::new();
        procfs::read_environment(pid, &mut environment).is_ok()
            && procfs::has_variable(
                &environment,
                marker::MARKER_VARIABLE,
                self.0.marker.as_str(),
            )
    }
}

/// Compares by identity: only clones are equal.
impl PartialEq for ChildProcesses {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for ChildProcesses {}

/// A connection leads to a process that does not belong to the child.
#[derive(Debug, thiserror::Error)]
#[error(
    "process {listener} is listening on this model's socket, but it is neither the child (process {child}) nor \
     one of its descendants; paddock does not send requests to it. Stop that process and find out what started it"
)]
struct StrangerListens {
    listener: i32,
    child: i32,
}

/// Returns true if `pid` is `ancestor` or descends from it.
fn descends(pid: i32, ancestor: i32, parent: impl Fn(i32) -> Option<i32>) -> bool {
    let mut at = pid;
    for _ in 0..MAX_DEPTH {
        if at == ancestor {
            return true;
        }
        // The first process has no parent, and neither does one from outside this namespace.
        match parent(at) {
            Some(next) if next > 0 => at = next,
            Some(_) | None => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descent_is_followed_to_the_first_process_and_no_further() {
        // 9 is a server, 7 its start script and paddock's child; 8 is a sibling's.
        let parent = |pid: i32| match pid {
            9 => Some(7),
            7 | 6 => Some(5),
            8 => Some(6),
            5 => Some(1),
            1 => Some(0),
            2 => Some(2),
            _ => None,
        };
        assert!(descends(7, 7, parent));
        assert!(descends(9, 7, parent));
        for stranger in [8, 6, 5, 1, 3, 2] {
            assert!(!descends(stranger, 7, parent), "{stranger}");
        }
    }
}
