//! Raises the limit on open files.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the soft limit to the hard limit, because each client and each request needs a descriptor and the usual
/// limit is 1,024. On failure the old limit stays.
pub(crate) fn raise_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "could not raise the limit on open files");
    }
}
