use paddock_supervisor::Failure;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Why a model does not load, or did not stay, and what is done about it.
#[derive(Debug, Clone)]
pub struct LoadFailure {
    /// What the child said, and how it ended.
    pub cause: Arc<Failure>,
    /// When one more child is started, or was; nothing where only a change of the outside can help.
    pub retry_at: Option<SystemTime>,
    /// How many restarts of the budget are left.
    pub restarts_left: u32,
}

/// A failure as status pages and error bodies show it.
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
        "retry_at": retry_at.map(unix),
        "restarts_left": restarts_left,
    })
}

/// Seconds of Unix time.
pub fn unix(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}
