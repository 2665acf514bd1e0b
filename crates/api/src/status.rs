use crate::{MemoryUsage, Model};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The answer to `GET /api/status`: models, memory and connections.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// Connections of clients; absent in the event `snapshot`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub connections: Option<Connections>,
    /// Memory of all models; absent once paddock stops.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub memory: Option<MemoryUsage>,
    /// The configured models.
    pub models: Vec<Model>,
    /// Version of paddock.
    pub version: String,
}

/// Connections of clients.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Connections {
    /// Highest number of open connections.
    pub limit: u64,
    /// Number of open connections.
    pub open: u64,
    /// Number of connections refused since paddock started.
    pub refused: u64,
}
