//! Runs the cleanup process, which outlives its parent and then kills the processes that the parent's children left.
//!
//! The kernel ends children with their parent, but not what those have started. A process that is killed
//! cannot clean up after itself, so another one waits for its end, in one read, without ever waking.

use std::io::{self, Read as _};

use crate::leftovers;

/// The argument, in place of a parent's process id, that starts the cleanup process.
pub(crate) const CLEANUP_ARGUMENT: &str = "watch";

/// Reads `VARIABLE=VALUE` and waits for the end of stdin, whose other end the parent holds; then kills every
/// process that has the variable with that value.
pub(super) fn kill_leftovers_at_end() {
    let mut text = String::new();
    // An error counts as the end.
    let _ = io::stdin().read_to_string(&mut text);
    if let Some((variable, value)) = text.split_once('=')
        && !value.is_empty()
    {
        leftovers::kill_marked(variable, value);
    }
}
