//! Admission: which client may use which model now, and the error that denies a request.
//!
//! Invariant: the types of this crate decide and count, and start nothing. The request path reads them without a
//! lock; the runtime alone writes them.

pub mod browser_policy;
pub mod catalog;
pub mod error;
pub mod keys;
pub mod lease_queue;
pub mod model;
pub mod phase;
pub mod slot_queue;
pub mod upstream_routes;
