//! Versions of two numbers.

use std::fmt;
use std::str::FromStr;

/// A version such as 12.8 of CUDA or 2.36 of the C library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MajorMinor {
    /// The number before the dot.
    pub major: u32,
    /// The number after the dot.
    pub minor: u32,
}

impl MajorMinor {
    /// Creates a version.
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }
}

impl FromStr for MajorMinor {
    type Err = ();

    /// Parses two numbers; further parts are ignored.
    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('.').map(|part| part.parse().map_err(|_| ()));
        match (parts.next(), parts.next()) {
            (Some(major), Some(minor)) => Ok(Self::new(major?, minor?)),
            _ => Err(()),
        }
    }
}

impl fmt::Display for MajorMinor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}
