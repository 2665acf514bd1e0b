use crate::LoadFailure;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The body of an error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorDetails,
}

/// An error, in the shape that `OpenAI`'s clients read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ErrorDetails {
    /// The kind of the error, such as `unknown_model`.
    pub code: String,
    /// Reason for a failure to load a model; absent for other errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub failure: Option<LoadFailure>,
    /// The cause, and how to fix it.
    pub message: String,
    /// The parameter that was refused; null for other errors.
    #[schema(required)]
    pub param: Option<String>,
    /// The class of the error, such as `invalid_request_error`.
    #[serde(rename = "type")]
    pub class: String,
}
