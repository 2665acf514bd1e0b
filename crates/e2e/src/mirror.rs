//! Local servers that behave like those that paddock downloads from.

#![expect(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

pub mod archives;
pub mod hub;
pub mod releases;
