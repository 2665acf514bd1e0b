//! Implements `--fake-compute-error WHAT`, which makes inference fail in a child that is otherwise
//! healthy.

use std::path::PathBuf;

use serde_json::Value;

use super::response::Response;

/// The inference requests that fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ComputeError {
    /// Every request from the first one that arrives while this file exists: the device is lost
    /// permanently.
    Lost(PathBuf),
    /// Requests that contain this word.
    Prompt(String),
    /// Completions, as with a model without an output layer.
    Completions,
}

impl ComputeError {
    /// Parses `lost:FILE`, `prompt:WORD` or `completions`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once(':').unwrap_or((text, ""));
        match name {
            "lost" => Ok(Self::Lost(value.into())),
            "prompt" => Ok(Self::Prompt(value.into())),
            "completions" => Ok(Self::Completions),
            _ => Err(format!("no such compute error: {text}")),
        }
    }

    /// Returns true if `request` fails; `has_failed` is true after the first failure.
    pub(super) fn affects(&self, request: &Value, is_completion: bool, has_failed: bool) -> bool {
        match self {
            Self::Lost(file) => has_failed || file.exists(),
            Self::Prompt(word) => request.to_string().contains(word.as_str()),
            Self::Completions => is_completion,
        }
    }
}

/// Returns the real server's error response (llama.cpp b11434, tools/server/server-context.cpp,
/// `llama_decode`).
pub(super) fn error_response() -> Response {
    Response::error(500, "server_error", "Compute error.")
}
