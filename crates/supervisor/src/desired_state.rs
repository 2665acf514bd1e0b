//! The state that callers want an instance to be in.

/// The desired state of an instance. It only ever rises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum DesiredState {
    Running,
    Stopped,
    Killed,
}
