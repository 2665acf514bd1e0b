//! What the person who runs this sees.

use std::io::{self, Write as _};

/// The result, on stdout.
pub(crate) fn result(text: &str) {
    // Nobody reads it any more: the page is written all the same.
    let _ = writeln!(io::stdout(), "{text}");
}

/// What is going on, on stderr.
pub(crate) fn progress(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
