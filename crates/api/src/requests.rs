use serde::{Deserialize, Serialize};

/// The answer to `GET /api/requests`: requests that have ended, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndedRequests {
    /// The requests.
    pub requests: Vec<EndedRequest>,
}

/// A request that has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndedRequest {
    /// Position in the record of requests: a later request has a greater one.
    pub seq: u64,
    /// Arrival of the first byte, in seconds since 1970.
    pub at: f64,
    /// The `x-request-id` of its answer.
    pub id: String,
    /// The model that the request reached.
    pub model: Option<String>,
    /// Name of the API key that the client showed.
    pub key: Option<String>,
    /// The route, such as `/v1/chat/completions`.
    pub route: String,
    /// Status of the answer, if one was sent.
    pub status: Option<u16>,
    /// End of the exchange: `complete`, `upstream_error`, `client_gone`, `refused` or `cancelled`.
    pub outcome: String,
    /// Kind of paddock's own error, if paddock answered or ended the exchange.
    pub error: Option<String>,
    /// Time spent in the model's queue.
    pub queue_seconds: f64,
    /// Time spent waiting while the model loaded, not included in `queue_seconds`.
    pub load_seconds: f64,
    /// Estimated time spent waiting for a slot inside the engine.
    pub engine_wait_seconds: f64,
    /// Time from the first byte of the request to the first byte of a streamed answer's body.
    pub ttft_seconds: Option<f64>,
    /// Time from the first byte of the request to the last byte of the answer.
    pub total_seconds: f64,
    /// Tokens, as the answer states them.
    pub tokens: Tokens,
    /// Generation speed after the first token.
    pub tokens_per_second: Option<f64>,
    /// Bytes of the request's body.
    pub bytes_in: u64,
    /// Bytes of the answer's body.
    pub bytes_out: u64,
}

/// Tokens of a request, as the answer states them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Tokens of the prompt.
    pub prompt: Option<u64>,
    /// Tokens of the prompt that were cached.
    pub cached: Option<u64>,
    /// Tokens generated.
    pub generated: Option<u64>,
}

/// The answer to `GET /api/requests?in_flight=true`: the oldest active requests.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ActiveRequests {
    /// The requests, oldest first.
    pub requests: Vec<ActiveRequest>,
    /// Number of active requests, listed or not.
    pub total: u64,
}

/// A request that has begun and not ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActiveRequest {
    /// The `x-request-id` of its answer.
    pub id: String,
    /// The model that the request is for.
    pub model: Option<String>,
    /// Name of the API key that the client showed.
    pub key: Option<String>,
    /// The route, such as `/v1/chat/completions`.
    pub route: String,
    /// Arrival of the first byte, in seconds since 1970.
    pub at: f64,
    /// Age of the request.
    pub seconds: f64,
    /// Stage, such as `queued` or `streaming`.
    pub state: String,
    /// Estimated time spent waiting for a slot inside the engine.
    pub engine_wait_seconds: f64,
}
