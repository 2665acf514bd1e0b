//! The one place that writes to the terminal.
//!
//! A reader that has gone away is no reason to fail: what it no longer wants is lost.

use std::io::{self, Write};

/// Writes to standard output: what was asked for.
pub(crate) fn text(text: &str) {
    write(&mut io::stdout().lock(), text);
}

/// Writes to standard error: everything else.
pub(crate) fn error(text: &str) {
    write(&mut io::stderr().lock(), text);
}

/// Writes bytes to standard output.
pub(crate) fn bytes(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    let _gone = out.write_all(bytes).and_then(|()| out.flush());
}

fn write(out: &mut dyn Write, text: &str) {
    let end = if text.ends_with('\n') { "" } else { "\n" };
    let _gone = write!(out, "{text}{end}").and_then(|()| out.flush());
}
