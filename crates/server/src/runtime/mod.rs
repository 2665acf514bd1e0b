//! The runtime actor: owns the scheduler, tells it what happened, and does what it says.
//!
//! A request that finds its model's gate open never comes here.

mod actor;
mod handle;

pub(crate) use actor::{Phase, Runtime};
pub(crate) use handle::RuntimeHandle;
