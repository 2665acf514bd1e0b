//! The failure of a model to load or to stay loaded, as errors and status pages show it.

use paddock_supervisor::Failure;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Failure of a model to load or to stay loaded, and the restarts that remain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadFailure {
    /// Output and exit of the child.
    pub cause: Arc<Failure>,
    /// Time of the next restart; `None` if only a change of the file, the machine or the configuration can help.
    pub retry_at: Option<SystemTime>,
    /// Number of automatic restarts that remain.
    pub restarts_left: u32,
}

/// Returns a failure as status pages and error bodies show it.
pub fn failure_json(failure: &LoadFailure) -> Value {
    let LoadFailure {
        cause,
        retry_at,
        restarts_left,
    } = failure;
    json!({
        "class": cause.class.to_string(),
        "message": cause.message,
        "log_tail": cause.log_tail,
        "phase": cause.phase.to_string(),
        "exit": cause.exit.map(|exit| exit.to_string()),
        "retry_at": retry_at.map(unix_seconds),
        "restarts_left": restarts_left,
    })
}

/// Converts a time to seconds since the Unix epoch.
pub fn unix_seconds(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}
