//! The JSON types of paddock's admin API, for servers and clients.
//!
//! Invariant: this crate holds types and their serde derives, nothing else. It depends on serde alone.

mod lifecycle;
mod posted;
mod requests;

pub use lifecycle::{LifecycleEvent, LifecycleEvents};
pub use posted::PostedEvent;
pub use requests::{ActiveRequest, ActiveRequests, EndedRequest, EndedRequests, Tokens};
