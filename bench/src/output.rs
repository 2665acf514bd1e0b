//! Terminal output of the benchmark.

use std::io::{self, Write as _};

/// Prints a result to stdout.
pub(crate) fn result(text: &str) {
    // A closed stdout does not prevent writing the page.
    let _ = writeln!(io::stdout(), "{text}");
}

/// Prints progress to stderr.
pub(crate) fn progress(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
