//! `paddock version`: prints the version.

use crate::exit::Exit;
use crate::output;

/// Prints the version.
pub(super) fn run() -> Exit {
    output::print(concat!("paddock ", env!("CARGO_PKG_VERSION")));
    Exit::Done
}
