//! The responses to routes that load, unload, pin or unpin a model, or cancel a request.

use crate::{LoadFailure, ModelStatus};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The response to `POST /api/models/{id}/load` and `…/unload`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LoadResult {
    /// Reason for a failure to load the model; absent without a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub failure: Option<LoadFailure>,
    /// Name of the model.
    pub id: String,
    /// The last decision about the model, as a sentence; absent if the model is loaded or unloaded as requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub message: Option<String>,
    /// Status of the model.
    pub status: ModelStatus,
}

/// The response to `POST /api/models/{id}/pin` and `…/unpin`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PinResult {
    /// Name of the model.
    pub id: String,
    /// True if the model is now pinned.
    pub pinned: bool,
    /// Status of the model.
    pub status: ModelStatus,
}

/// The response to `DELETE /api/requests/{id}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CancelResult {
    /// Number of requests that were cancelled: more than one if clients chose the same `x-request-id`.
    #[schema(minimum = 1)]
    pub cancelled: u64,
}
