//! Decides which models are in memory, which requests wait, and which models are evicted.
//!
//! A model is a configured set of model files. While it is loaded, one llama-server process, the child of its instance,
//! serves it.
//!
//! Invariant: a busy model is never evicted, and every queued request is granted, refused with a reason, or
//! cancelled. Decisions are pure, `(event, now) -> actions`: this crate reads no clock, starts no process and
//! writes no log.
//!
//! The runtime owns the [`Scheduler`], passes it each [`Event`] and carries out the returned [`Action`]s. Only the
//! [`Gate`], which admits requests to a warm model without the scheduler, is used by other threads directly.
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
//! Keep-alive is the configured time that an unused model stays in memory.
//!
//! Before any model is evicted for another one, the runtime inspects that model's files: it reads their headers. Files
//! that the engine (llama-server) has never loaded are also tried: the engine begins to load them, in little memory.
//! The model then waits in one line with all models that want memory, ordered by the time since which they wait. Idle
//! models are evicted to make room; once the first model in line has waited `max_wait`, busy models are drained as
//! well: they accept no new requests and finish those in flight. The memory is then claimed, so that no other model
//! takes it, and the model starts when the evicted ones have left memory.

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
