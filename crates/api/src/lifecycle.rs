use serde::{Deserialize, Serialize};

/// The answer to `GET /api/lifecycle`: what happened to models and to paddock, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LifecycleEvents {
    /// The events.
    pub events: Vec<LifecycleEvent>,
}

/// A change in the life of a model or of paddock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LifecycleEvent {
    /// Position in the record of events: a later event has a greater one.
    pub seq: u64,
    /// Time of the event, in seconds since 1970.
    pub at: f64,
    /// The model; absent for events of paddock itself.
    pub model: Option<String>,
    /// Kind of the event, such as `loaded`.
    pub event: String,
    /// Kind of the reason.
    pub reason: Option<String>,
    /// The event as a sentence.
    pub message: String,
}
