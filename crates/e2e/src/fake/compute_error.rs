//! `--fake-compute-error WHAT`: inference that fails in a child that is otherwise well.

use std::path::PathBuf;

use serde_json::Value;

use super::response::Response;

/// The inference requests that fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ComputeError {
    /// All, from the first one on that comes while this file exists: the device is lost for good.
    Lost(PathBuf),
    /// Those whose prompt has this word in it.
    Prompt(String),
    /// Completions, as in a model that has no output layer.
    Completions,
}

impl ComputeError {
    /// Reads `lost:FILE`, `prompt:WORD` or `completions`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once(':').unwrap_or((text, ""));
        match name {
            "lost" => Ok(Self::Lost(value.into())),
            "prompt" => Ok(Self::Prompt(value.into())),
            "completions" => Ok(Self::Completions),
            _ => Err(format!("no such compute error: {text}")),
        }
    }

    /// Returns true if this request fails, now or since `is_lost`.
    pub(super) fn hits(&self, request: &Value, is_completion: bool, is_lost: bool) -> bool {
        match self {
            Self::Lost(file) => is_lost || file.exists(),
            Self::Prompt(word) => request.to_string().contains(word.as_str()),
            Self::Completions => is_completion,
        }
    }
}

/// The answer of the real server (llama.cpp b11434, tools/server/server-context.cpp, `llama_decode`).
pub(super) fn response() -> Response {
    Response::error(500, "server_error", "Compute error.")
}
