//! The logs of models' children: `GET /api/models/{id}/logs`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The response to `GET /api/models/{id}/logs`: the last lines of a model's children.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogLines {
    /// The lines, oldest first.
    pub lines: Vec<String>,
}

/// A line of the response to `GET /api/models/{id}/logs?follow=true`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum LogRecord {
    /// A line of a child's output.
    Line {
        /// The line, without its end.
        line: String,
    },
    /// A gap, because the client read too slowly.
    Missed {
        /// Number of lines that the client missed.
        missed: u64,
    },
}
