use crate::{EndedRequest, LifecycleEvent};
use serde::{Deserialize, Serialize};

/// An element of the array that paddock posts to a configured receiver.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum PostedEvent {
    /// A request that has ended.
    Request(EndedRequest),
    /// A change in the life of a model or of paddock.
    Lifecycle(LifecycleEvent),
}
