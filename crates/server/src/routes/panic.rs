//! Makes a part of paddock panic, for tests. Release builds have no such route.

use super::AdminContext;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use paddock_runtime::PanicTarget;

/// Makes the named part panic.
pub(super) async fn panic(
    State(admin): State<AdminContext>,
    Path(part): Path<String>,
) -> StatusCode {
    match part.as_str() {
        "runtime" => admin.shared.runtime.panic(PanicTarget::Runtime).await,
        "spawner" => admin.shared.runtime.panic(PanicTarget::Spawner).await,
        "worker" => admin.workers.panic().await,
        "admin" => panic!("the admin plane was told to panic"),
        _ => return StatusCode::NOT_FOUND,
    }
    StatusCode::ACCEPTED
}
