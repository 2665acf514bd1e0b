//! Terminal output of the benchmark.

use std::io::{self, Write as _};

/// Prints a result to stdout.
pub(crate) fn result(text: &str) {
    // A closed stdout is ignored: the page still has to be written.
    let _ = writeln!(io::stdout(), "{text}");
}

/// Prints progress to stderr.
pub(crate) fn progress(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
