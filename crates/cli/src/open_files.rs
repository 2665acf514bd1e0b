//! The limit on open files.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the limit on open files as far as it may go: each client takes one and each request
/// another, and the customary 1,024 are few. Where the system refuses, the old limit stays.
pub(crate) fn raise() {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "the limit on open files stays as it is");
    }
}
