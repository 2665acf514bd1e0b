//! The phases of paddock from service to shutdown.

/// Phase of the service as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServicePhase {
    /// Requests are served.
    Serving,
    /// Requests in flight may finish; idle connections are closed.
    Draining,
    /// Requests still in flight are ended now.
    Cut,
}
