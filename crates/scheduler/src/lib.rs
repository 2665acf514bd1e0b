//! Who may be in memory, who waits, who is evicted: `(event, now) -> actions`.
//!
//! [`Scheduler::handle`] decides, and does nothing else: no clock, no process, no log. The
//! runtime that owns it tells it what happened and carries out what it answers. The one part
//! that others touch directly is the [`Gate`], the fast path of a request whose model is warm.
//!
//! This version holds models that are always to be loaded; it decides about waiting, refusing
//! and draining.

mod event;
mod gate;
mod model;
mod scheduler;

pub use event::{Action, Event, InstanceIs, ModelId, Refusal, RequestId};
pub use gate::{Gate, Generation};
pub use model::{Admit, ModelSpec};
pub use scheduler::Scheduler;
