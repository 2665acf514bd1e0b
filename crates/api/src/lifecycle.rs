use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The response to `GET /api/lifecycle`: what happened to models and to paddock, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LifecycleEvents {
    /// The events.
    pub events: Vec<LifecycleEvent>,
}

/// A change in the life of a model or of paddock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LifecycleEvent {
    /// Sequence number; increases over time.
    pub seq: u64,
    /// Time of the event, in seconds since 1970.
    pub at: f64,
    /// The model; null for events of paddock itself.
    #[schema(required)]
    pub model: Option<String>,
    /// Kind of the event, such as `loaded`.
    pub event: String,
    /// Kind of the reason; null if this kind of event has only one possible reason.
    #[schema(required)]
    pub reason: Option<String>,
    /// The event as a sentence.
    pub message: String,
}
