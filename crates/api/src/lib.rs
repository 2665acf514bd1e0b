//! The JSON types of paddock's admin API, which the server and its clients share.
//!
//! The server writes these types, the command line reads them, and the `OpenAPI` document describes them with the
//! comments of their fields. Fields are declared in the order in which they are written.
//!
//! Invariant: this crate holds types, their derives and the names of events and statuses, nothing else. It depends on
//! serde and utoipa alone.

mod contexts;
mod error;
mod event;
mod explanation;
mod health;
mod lifecycle;
mod logs;
mod memory;
mod model;
mod posted;
mod reload;
mod requests;
mod results;
mod status;

pub use contexts::{ContextCounts, ContextRestore, ModelContexts};
pub use error::{ErrorBody, ErrorDetails};
pub use event::{Event, MissedRequests, RemovedModel};
pub use explanation::{
    Decision, FirstDifference, ModelExplanation, RefusalReason, RequestExplanation,
};
pub use health::{Health, HealthStatus, Liveness, LivenessStatus, ModelHealth};
pub use lifecycle::{LifecycleEvent, LifecycleEvents};
pub use logs::{LogLines, LogRecord};
pub use memory::{Memory, MemoryUsage};
pub use model::{LoadFailure, Model, ModelMemory, ModelStatus, Sandbox, WaitingInEngine};
pub use posted::PostedEvent;
pub use reload::{KeyChanges, ReloadResult};
pub use requests::{ActiveRequest, ActiveRequests, EndedRequest, EndedRequests, Tokens};
pub use results::{CancelResult, LoadResult, PinResult};
pub use status::{Connections, Status};
