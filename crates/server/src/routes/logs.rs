use super::View;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::collections::HashMap;

/// How many lines are given unless it is said.
const LINES: usize = 100;

/// The last lines of a model's child, the one that runs or the last one.
pub(super) async fn logs(
    State(view): State<View>,
    Path(name): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let id = match view.find(&name) {
        Ok(id) => id,
        Err(refused) => return *refused,
    };
    let count = query.get("n").and_then(|count| count.parse().ok());
    let logs = view.runtime.logs(id).await;
    let lines = logs.map_or_else(Vec::new, |logs| logs.snapshot(count.unwrap_or(LINES)));
    Json(json!({ "lines": lines })).into_response()
}
