//! Breaks a part of paddock, for tests of what becomes of the rest. A release has no such route.

use super::Admin;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use paddock_runtime::PanicTarget;

/// Makes a part panic.
pub(super) async fn panic(State(admin): State<Admin>, Path(part): Path<String>) -> StatusCode {
    match part.as_str() {
        "runtime" => admin.view.runtime.panic(PanicTarget::Runtime).await,
        "spawner" => admin.view.runtime.panic(PanicTarget::Spawner).await,
        "worker" => admin.workers.panic().await,
        "admin" => panic!("the admin plane was told to panic"),
        _ => return StatusCode::NOT_FOUND,
    }
    StatusCode::ACCEPTED
}
