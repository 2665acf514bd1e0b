//! Defines the states that callers can want an instance to be in.

/// The desired state of an instance. Callers can only raise it, in the order of the variants: a stop is never undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum DesiredState {
    /// Keep a child running.
    Running,
    /// Stop the child gracefully.
    Stopped,
    /// Kill the child without waiting.
    Killed,
}
