//! Writes to standard output and standard error; no other module does.
//!
//! A reader that has closed the pipe is no error: the text is dropped.

use std::io::{self, IsTerminal, Write};

pub(crate) use paddock_server::{printable, printable_lines};

/// State of the reader of standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReaderState {
    /// The last write succeeded.
    Present,
    /// The last write failed.
    Gone,
}

/// Writes a command's result to standard output.
pub(crate) fn print(text: &str) {
    write(&mut io::stdout().lock(), text);
}

/// Writes anything else to standard error. Replaces terminal sequences, because errors quote files and answers.
pub(crate) fn print_error(text: &str) {
    write(&mut io::stderr().lock(), &printable_lines(text));
}

/// Writes coloured text to standard error. Removes colours if that is no terminal that shows them, or if `NO_COLOR`
/// is set.
pub(crate) fn print_coloured_error(text: &str) {
    write(&mut anstream::AutoStream::auto(io::stderr()).lock(), text);
}

/// Writes coloured text to standard output, as [`print_coloured_error`] does.
pub(crate) fn print_coloured(text: &str) {
    write(&mut anstream::AutoStream::auto(io::stdout()).lock(), text);
}

/// Writes complete lines to standard output and returns the reader's state.
pub(crate) fn print_lines(lines: &str) -> ReaderState {
    let mut out = io::stdout().lock();
    match out.write_all(lines.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => ReaderState::Present,
        Err(_) => ReaderState::Gone,
    }
}

/// Writes coloured lines to standard output and returns the reader's state.
pub(crate) fn print_coloured_lines(lines: &str) -> ReaderState {
    let mut out = anstream::AutoStream::auto(io::stdout()).lock();
    match out.write_all(lines.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => ReaderState::Present,
        Err(_) => ReaderState::Gone,
    }
}

/// Returns whether standard output is a terminal.
pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Returns whether standard error is a terminal.
pub(crate) fn is_error_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Writes bytes to standard output.
pub(crate) fn print_bytes(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    let _gone = out.write_all(bytes).and_then(|()| out.flush());
}

fn write(out: &mut dyn Write, text: &str) {
    let end = if text.ends_with('\n') { "" } else { "\n" };
    let _gone = write!(out, "{text}{end}").and_then(|()| out.flush());
}
