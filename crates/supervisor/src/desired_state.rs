//! What callers want of an instance.

/// What is wanted of an instance. It only ever rises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum DesiredState {
    Running,
    Stopped,
    Killed,
}
