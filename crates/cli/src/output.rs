//! The one place that writes to the terminal.
//!
//! A reader that has gone away is no reason to fail: what it no longer wants is lost.

use std::io::{self, IsTerminal, Write};

pub(crate) use paddock_server::{printable, printable_lines};

/// Who reads what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Somebody, as far as can be seen.
    There,
    /// Nobody any more.
    Gone,
}

/// Writes to standard output: what was asked for.
pub(crate) fn text(text: &str) {
    write(&mut io::stdout().lock(), text);
}

/// Writes to standard error: everything else. Terminal sequences in the text are replaced, for errors repeat
/// what stands in files and answers.
pub(crate) fn error(text: &str) {
    write(&mut io::stderr().lock(), &printable_lines(text));
}

/// Writes to standard error what may have colours; they are left out where it is no terminal that shows
/// them, or where `NO_COLOR` says so.
pub(crate) fn coloured_error(text: &str) {
    write(&mut anstream::AutoStream::auto(io::stderr()).lock(), text);
}

/// Writes to standard output what may have colours, as [`coloured_error`] does.
pub(crate) fn coloured_text(text: &str) {
    write(&mut anstream::AutoStream::auto(io::stdout()).lock(), text);
}

/// Writes lines to standard output, each with its newline, and says whether anybody reads them.
pub(crate) fn lines(lines: &str) -> Reader {
    let mut out = io::stdout().lock();
    match out.write_all(lines.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Reader::There,
        Err(_) => Reader::Gone,
    }
}

/// Writes as [`lines`] does what may have colours, as [`coloured_error`] does.
pub(crate) fn coloured_lines(lines: &str) -> Reader {
    let mut out = anstream::AutoStream::auto(io::stdout()).lock();
    match out.write_all(lines.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Reader::There,
        Err(_) => Reader::Gone,
    }
}

/// Whether standard output is a terminal.
pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
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
