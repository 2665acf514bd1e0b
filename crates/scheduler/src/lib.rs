//! Who may be in memory, who waits, who is evicted: `(event, now) -> actions`.
//!
//! [`Scheduler::handle`] decides, and does nothing else: no clock, no process, no log. The
//! runtime that owns it tells it what happened and carries out what it answers. The one part
//! that others touch directly is the [`Gate`], the fast path of a request whose model is warm.
//!
//! # A model's way
//!
//! ```text
//!   Cold ── wanted ─► Inspecting ─► Waiting ─► Claiming ─► Loading ─► Warm ─► Draining ─► Stopping ─► Cold
//!                        │             │          │           │                  ▲
//!                     refused       refused   abandoned    Failed                └─ evicted, idle for its
//!                                                                                   keep-alive, unloaded
//! ```
//!
//! Its files are looked at each time before anything is evicted for it, and where nobody has seen them
//! loaded the engine tries them first. It waits in one line with
//! all models that want memory, in the order in which they began to. Room is made by models that
//! are idle; once the first in line has waited `max_wait`, by busy ones too, which let nobody new
//! in and finish what they have. Then its memory is claimed, so that nobody else takes it, and it
//! starts when the others have been seen to be gone.

mod event;
mod gate;
mod memory;
mod model;
mod note;
mod queue;
mod scheduler;
mod spec;
mod sync;
mod victims;
mod worth;

pub use event::{Action, ClientId, Demand, Event, InstanceIs, ModelId, Refusal, RequestId};
pub use gate::{Epoch, Gate, Generation, Stamp};
pub use memory::{DEVICES, Memory};
pub use model::{Look, Status};
pub use note::{Note, PinnedBy, Wanted};
pub use scheduler::{Scheduler, Usage};
pub use spec::{Admit, ModelSpec, Policy};
