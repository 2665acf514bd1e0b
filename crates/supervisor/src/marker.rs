//! The variable by which the processes of one child are known, however far they have strayed from it.

use std::{fmt::Write as _, io};

/// The variable of a child's environment that only it and what it starts have with this value.
pub(crate) const MARKER_VARIABLE: &str = "PADDOCK_INSTANCE";

/// The value for one child: 32 random hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InstanceMarker(String);

impl InstanceMarker {
    /// Makes a value that no other child has.
    ///
    /// # Errors
    ///
    /// The system has no random numbers.
    pub(crate) fn new() -> io::Result<Self> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        let digits = bytes.iter().fold(String::new(), |mut digits, byte| {
            // Writing to a string does not fail.
            let _ = write!(digits, "{byte:02x}");
            digits
        });
        Ok(Self(digits))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}
