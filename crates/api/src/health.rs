use crate::LoadFailure;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The response to `GET /livez`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Liveness {
    /// Always `ok`.
    pub status: LivenessStatus,
}

/// The status of a running paddock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LivenessStatus {
    /// paddock is running.
    Ok,
}

/// The response to `GET /readyz` and `GET /health`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// Health of each model; omitted if API keys are configured (for `/readyz`: if one of them allows `admin`), because
    /// these routes require no key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub models: Option<Vec<ModelHealth>>,
    /// Health of paddock.
    pub status: HealthStatus,
}

/// The health of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelHealth {
    /// Reason for a failure to load the model, or for the exit of its child; absent without a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub failure: Option<LoadFailure>,
    /// Name of the model.
    pub id: String,
    /// Health of the model.
    pub status: HealthStatus,
}

/// The health of a model or of paddock: `ok` if requests are served, after a load if necessary; `starting` while
/// preloaded models load and requests wait; `unhealthy` if requests are refused because of failures; `stopping` while
/// a model is unloaded or paddock stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// A load is in progress, and requests wait for it.
    Starting,
    /// Requests are served, after a load if necessary.
    Ok,
    /// Requests are refused because of failures.
    Unhealthy,
    /// The model is being unloaded, or paddock is stopping.
    Stopping,
}
