use super::View;
use crate::error::failure_json;
use axum::Json;
use paddock_supervisor::State;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use tokio::time::Instant;

/// One snapshot of everything.
pub(super) async fn status(axum::extract::State(view): axum::extract::State<View>) -> Json<Value> {
    let state = view.state();
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "models": [{
            "id": view.model.name,
            "aliases": view.config.model.aliases,
            "status": word(&state),
            "in_flight": view.model.gate.in_flight(),
            "queued": view.model.queued.load(Ordering::Relaxed),
            "pid": state.pid(),
            "since": since(&state).map(|at| at.elapsed().as_secs_f64()),
            "progress": progress(&state),
            "restarts": restarts(&state),
            "failure": state.failure().map(|failure| failure_json(failure)),
            "retry_after": state.retry_after(Instant::now()).map(|wait| wait.as_secs_f64()),
        }],
    }))
}

/// The status of a model, in the words of the API.
pub(super) fn word(state: &State) -> &'static str {
    match state {
        State::Starting { .. } | State::Backoff { .. } => "loading",
        State::Ready { .. } => "ready",
        State::Stopping { .. } => "draining",
        State::Failed { .. } => "failed",
        State::Stopped => "unloaded",
    }
}

fn since(state: &State) -> Option<Instant> {
    match state {
        State::Starting { since, .. } | State::Ready { since, .. } => Some(*since),
        State::Stopping { .. } | State::Backoff { .. } | State::Failed { .. } | State::Stopped => {
            None
        }
    }
}

fn progress(state: &State) -> Option<f32> {
    match state {
        State::Starting { progress, .. } => *progress,
        State::Ready { .. } => Some(1.0),
        State::Stopping { .. } | State::Backoff { .. } | State::Failed { .. } | State::Stopped => {
            None
        }
    }
}

/// How often the child was started again.
fn restarts(state: &State) -> Option<u64> {
    match state {
        State::Starting { generation, .. } | State::Ready { generation, .. } => {
            Some(generation.saturating_sub(1))
        }
        State::Backoff { attempt, .. } => Some(u64::from(*attempt)),
        State::Stopping { .. } | State::Failed { .. } | State::Stopped => None,
    }
}
