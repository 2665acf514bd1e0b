use crate::{ContextCounts, MemoryUsage, Model};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The response to `GET /api/status`: models, memory and connections.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// Client connections; absent in the event `snapshot`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub connections: Option<Connections>,
    /// Counts of the contexts of all models together; absent in the event `snapshot`, and once the models have been
    /// unloaded at shutdown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub contexts: Option<ContextCounts>,
    /// Memory of all models; absent once the models have been unloaded at shutdown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub memory: Option<MemoryUsage>,
    /// The configured models.
    pub models: Vec<Model>,
    /// Version of paddock.
    pub version: String,
}

/// Client connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Connections {
    /// Maximum number of client connections allowed.
    pub limit: u64,
    /// Number of open client connections.
    pub open: u64,
    /// Number of client connections refused since paddock started.
    pub refused: u64,
}
