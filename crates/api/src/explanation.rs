use crate::{ModelStatus, Tokens};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The response to `GET /api/models/{id}/explain`: the last decisions about a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelExplanation {
    /// At most 100 decisions about the model and exits of its children, newest last.
    pub decisions: Vec<Decision>,
    /// Name of the model; null if it has since been removed.
    #[schema(required)]
    pub id: Option<String>,
    /// Status of the model; null if it has since been removed.
    #[schema(required)]
    pub status: Option<ModelStatus>,
}

/// A decision about a model, or an exit of its child.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Decision {
    /// Time of the decision, in seconds since 1970.
    pub at: f64,
    /// The decision and its reason, as a sentence.
    pub message: String,
    /// Kind of the decision, in one word.
    pub what: String,
}

/// The response to `GET /api/requests/{id}/explain`: the history of a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RequestExplanation {
    /// Arrival of the request, in seconds since 1970.
    pub arrived: f64,
    /// Estimated time that the request waited for a slot inside the engine; null if the request is no longer listed.
    #[schema(required, minimum = 0)]
    pub engine_wait_seconds: Option<f64>,
    /// Reason for a refusal by paddock; null if the request was not refused.
    #[schema(required)]
    pub error: Option<RefusalReason>,
    /// First place where the prompt differs from the contexts that had been restored; null unless less than half of the
    /// prompt was cached although contexts had been restored.
    #[schema(required)]
    pub first_difference: Option<FirstDifference>,
    /// Decisions about the model while the request waited, oldest first.
    pub meanwhile: Vec<Decision>,
    /// The model that the request was for; null if it named none.
    #[schema(required)]
    pub model: Option<String>,
    /// Result of the wait: `waiting`, `granted`, `refused`, or `left` (the client disconnected or the request was
    /// cancelled).
    pub outcome: String,
    /// The `x-request-id` of the request.
    pub request: String,
    /// Token counts of the request; null if the request has not ended or is no longer listed.
    #[schema(required)]
    pub tokens: Option<Tokens>,
    /// Time that the request waited in paddock's queue.
    pub waited_seconds: f64,
}

/// The first place where a prompt differs from the most similar restored context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FirstDifference {
    /// The place, or the reason why it cannot be told, as a sentence.
    pub message: String,
    /// Text of the prompt around the place; null if the prompt ends there or the place cannot be told.
    #[schema(required)]
    pub prompt_text: Option<String>,
    /// Number of tokens with which the prompt and the context begin; null if the place cannot be told.
    #[schema(required)]
    pub shared_tokens: Option<u64>,
    /// Text of the context around the place; null if the context ends there or the place cannot be told.
    #[schema(required)]
    pub stored_text: Option<String>,
}

/// The reason for a refusal by paddock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefusalReason {
    /// Kind of the error, as in `x-paddock-error`.
    pub kind: String,
    /// The error as a sentence.
    pub message: String,
}
