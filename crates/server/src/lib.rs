//! The paddock service: configuration, proxy, HTTP planes, wiring.
//!
//! [`Service`] is the whole of it: listeners, workers, the runtime actor and the supervised
//! child. [`ForwardProxy`] is the part that other programs mount in a router of their own.

mod admin_record;
mod admin_server;
mod admission;
mod browser_policy;
mod catalog;
pub mod config;
mod database;
mod descriptors;
mod engine;
mod error;
mod forward;
mod health;
mod host;
mod inference_probes;
mod inherited;
mod keys;
mod learned;
mod lingering;
mod listeners;
mod memory;
mod model;
mod outgoing;
mod phase;
mod printable;
mod private_dir;
mod proxy;
mod reload;
mod routes;
mod rules;
mod runtime;
mod runtime_dir;
mod sandbox;
mod service;
mod service_manager;
mod sink;
mod slots;
mod state_dir;
mod sweep;
mod telemetry;
mod upstream_routes;

pub use admin_record::wrapped_admin_addresses;
pub use browser_policy::PageRefusal;
pub use descriptors::TooFewDescriptors;
pub use error::{Dialect, ProxyError};
pub use forward::{
    EngineError, ForwardBody, ForwardProxy, InferenceCause, Upstream, UpstreamError,
};
pub use health::HealthState;
pub use inherited::{Inherited, InheritedError};
pub use keys::Limit;
pub use printable::{printable, printable_lines};
pub use reload::{FileState, ReloadError, Reloader, Source};
pub use runtime::CommandEnd;
pub use service::{Broken, Service, StartError};
pub use service_manager::ServiceManager;
pub use state_dir::StateDirError;
