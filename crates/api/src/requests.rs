//! The responses to `GET /api/requests`: requests that have ended, or active requests.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The response to `GET /api/requests`: requests that have ended, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EndedRequests {
    /// The requests.
    pub requests: Vec<EndedRequest>,
}

/// A request that has ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EndedRequest {
    /// Sequence number; increases over time.
    pub seq: u64,
    /// Arrival of the first byte, in seconds since 1970.
    pub at: f64,
    /// The `x-request-id` of the response.
    pub id: String,
    /// The model that the request reached; null if it reached none.
    #[schema(required)]
    pub model: Option<String>,
    /// Name of the API key that the client presented; null without one.
    #[schema(required)]
    pub key: Option<String>,
    /// The route, such as `chat_completions`.
    pub route: String,
    /// Status of the response; null if none was sent.
    #[schema(required)]
    pub status: Option<u16>,
    /// Outcome: `complete`; `upstream_error`: the child failed; `client_gone`: the client disconnected before its
    /// response was complete; `refused`: paddock responded instead of the model; `cancelled`: ended by the operator
    /// or at the end of a drain.
    #[schema(pattern = "^(complete|upstream_error|client_gone|refused|cancelled)$")]
    pub outcome: String,
    /// Kind of paddock's own error; null if paddock neither responded itself nor ended the exchange.
    #[schema(required)]
    pub error: Option<String>,
    /// Time spent in the model's queue.
    pub queue_seconds: f64,
    /// Time spent waiting while the model loaded, not included in `queue_seconds`.
    pub load_seconds: f64,
    /// Estimated time spent waiting for a slot inside the engine.
    #[schema(minimum = 0)]
    pub engine_wait_seconds: f64,
    /// Time from the first byte of the request to the first byte of a streamed response's body; null for other
    /// responses.
    #[schema(required)]
    pub ttft_seconds: Option<f64>,
    /// Time from the first byte of the request to the last byte of the response.
    pub total_seconds: f64,
    /// Tokens, as the response states them.
    pub tokens: Tokens,
    /// Generation speed after the first token; null if unknown.
    #[schema(required)]
    pub tokens_per_second: Option<f64>,
    /// Bytes of the request's body.
    pub bytes_in: u64,
    /// Bytes of the response's body.
    pub bytes_out: u64,
}

/// Tokens of a request, as the response states them; null if it does not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tokens {
    /// Tokens of the prompt.
    #[schema(required)]
    pub prompt: Option<u64>,
    /// Tokens of the prompt that were cached.
    #[schema(required)]
    pub cached: Option<u64>,
    /// Tokens generated.
    #[schema(required)]
    pub generated: Option<u64>,
}

/// The response to `GET /api/requests?in_flight=true`: the oldest active requests.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ActiveRequests {
    /// The requests, oldest first.
    pub requests: Vec<ActiveRequest>,
    /// Number of active requests, listed or not.
    pub total: u64,
}

/// A request that has begun and not ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ActiveRequest {
    /// The `x-request-id` of the response.
    pub id: String,
    /// The model that the request is for; null while it is unknown.
    #[schema(required)]
    pub model: Option<String>,
    /// Name of the API key that the client presented; null without one.
    #[schema(required)]
    pub key: Option<String>,
    /// The route, such as `chat_completions`.
    pub route: String,
    /// Arrival of the first byte, in seconds since 1970.
    pub at: f64,
    /// Age of the request.
    pub seconds: f64,
    /// Stage: `queued`: waiting in the queue or for its model to load; `waiting`: no part of its response has arrived;
    /// `waiting_in_engine`: the same, and probably waiting for an engine slot; `streaming`: its response is being
    /// forwarded.
    #[schema(pattern = "^(queued|waiting|waiting_in_engine|streaming)$")]
    pub state: String,
    /// Estimated time spent waiting for a slot inside the engine.
    #[schema(minimum = 0)]
    pub engine_wait_seconds: f64,
}
