//! Decides which models are in memory, which requests wait, and which models are evicted.
//!
//! Invariant: a busy model is never evicted, and every queued request is granted, refused with a reason, or
//! cancelled. Decisions are pure, `(event, now) -> actions`: this crate reads no clock, starts no process and
//! writes no log.
//!
//! The runtime owns the [`Scheduler`], passes it each [`Event`] and carries out the returned [`Action`]s. Only the
//! [`Gate`], the fast path of a request whose model is warm, is used by other threads directly.
//!
//! # The states of a model
//!
//! ```text
//!   Cold ── wanted ─► Inspecting ─► Waiting ─► Claiming ─► Loading ─► Warm ─► Draining ─► Stopping ─► Cold
//!                        │             │          │           │                  ▲
//!                     refused       refused   abandoned    Failed                └─ evicted, idle for its
//!                                                                                   keep-alive, unloaded
//! ```
//!
//! A model's files are inspected each time before any model is evicted for it, and the engine tries files that
//! it has never loaded. The model then waits in one line
//! with all models that want memory, ordered by the time since which they wait. Idle models are evicted to make
//! room; once the first model in line has waited `max_wait`, busy models are drained as well: they accept no new
//! requests and finish those in flight. The memory is then claimed, so that no other model takes it, and the model
//! starts when the evicted ones have left memory.

mod event;
mod eviction;
mod gate;
mod memory;
mod model;
mod note;
mod policy;
mod recent_uses;
mod request_queue;
mod scheduler;
mod sync;

pub use event::{Action, ClientId, Demand, Event, InstanceStatus, ModelId, Refusal, RequestId};
pub use gate::{Epoch, Gate, Generation, Stamp};
pub use memory::{MAX_DEVICES, Memory};
pub use model::{ModelSnapshot, ModelStatus};
pub use note::{Note, PinnedBy, WantedBy};
pub use policy::{Admission, ModelSpec, Policy};
pub use scheduler::{MemoryUsage, Scheduler};
