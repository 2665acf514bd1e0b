//! The paddock service: configuration, proxy, HTTP planes, wiring.
//!
//! [`Service`] is the whole of it: listeners, workers, the runtime actor and the supervised
//! child. [`ForwardProxy`] is the part that other programs mount in a router of their own.

pub mod config;
mod error;
mod forward;
mod health;
mod model;
mod proxy;
mod routes;
mod runtime;
mod service;

pub use error::{Dialect, ProxyError};
pub use forward::{EngineError, ForwardProxy, InferenceCause, Upstream, UpstreamError};
pub use health::HealthState;
pub use service::{Service, StartError};
