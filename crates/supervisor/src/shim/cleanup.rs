//! The watcher: a process that outlives its parent, and then kills what the parent's children have left.
//!
//! The kernel ends children with their parent, but not what those have started. No process that is killed
//! can clean up after itself, so another one waits for its end. It waits in one read and never wakes.

use std::io::{self, Read as _};

use crate::leftovers;

/// Stands where a child's parent would, and makes the shim a watcher.
pub(crate) const CLEANUP_ARGUMENT: &str = "watch";

/// Reads `VARIABLE=VALUE` and waits for the end of stdin, whose other end the parent holds; then kills every
/// process that has the variable with that value.
pub(super) fn kill_leftovers_at_end() {
    let mut text = String::new();
    // An error is an end too.
    let _ = io::stdin().read_to_string(&mut text);
    if let Some((variable, value)) = text.split_once('=')
        && !value.is_empty()
    {
        leftovers::kill_marked(variable, value);
    }
}
