//! Makes markers. A marker is the random value of an environment variable that one child and its descendants have, and
//! by which they are recognised even after they have left the child's process group or lost their parent.

use std::{fmt::Write as _, io};

/// The name of the variable, whose value only the child and its descendants have.
pub(crate) const MARKER_VARIABLE: &str = "PADDOCK_INSTANCE";

/// The variable's value for one child: 32 random hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceMarker(String);

impl InstanceMarker {
    /// Makes a value that no other child has.
    ///
    /// # Errors
    ///
    /// The system has no random numbers.
    pub fn new() -> io::Result<Self> {
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
