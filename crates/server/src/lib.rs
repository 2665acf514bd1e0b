//! The paddock service: routes, dashboard, listeners, reload, and the wiring of all other crates.
//!
//! Invariant: this crate connects and presents; the crates that it uses make the decisions.
//!
//! [`Service`] runs all parts: listeners, workers (the threads that serve clients), the runtime actor (the task that
//! decides which models are loaded) and the supervised children (llama-server processes). Other programs
//! mount [`ForwardProxy`] alone in their own router.

mod admin_server;
mod health;
mod listeners;
mod platform_sockets;
mod reload;
mod routes;
mod service;
mod service_manager;
mod socket_activation;

pub use health::HealthState;
pub use paddock_admission::browser_policy::PageRefusal;
pub use paddock_admission::error::{Dialect, ProxyError};
pub use paddock_admission::keys::KeyLimit;
pub use paddock_config as config;
pub use paddock_config::{printable, printable_lines};
pub use paddock_proxy::descriptors::TooFewDescriptors;
pub use paddock_proxy::{
    EngineError, ForwardBody, ForwardProxy, InferenceCause, Upstream, UpstreamError,
};
pub use paddock_runtime::admin_record::wrapped_admin_addresses;
pub use paddock_runtime::state_dir::StateDirError;
pub use paddock_runtime::{CommandEnd, GpuMemory, MachineMemory};
pub use reload::{ConfigSource, FileState, ReloadError, Reloader};
pub use service::{PartPanicked, Service, StartError};
pub use service_manager::ServiceManager;
pub use socket_activation::{InheritedSockets, SocketActivationError};
