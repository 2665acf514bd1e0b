//! Admission: which client may use which model now, and the error that denies a request.
//!
//! Invariant: the types of this crate decide and count, and start nothing. Only the runtime replaces the catalog of
//! models and keys. Requests count their use with atomic operations, and take a mutex only for resumable streams.

pub mod browser_policy;
pub mod catalog;
pub mod error;
pub mod keys;
pub mod lease_queue;
pub mod model;
pub mod phase;
pub mod recent_answers;
pub mod slot_queue;
pub mod upstream_routes;
