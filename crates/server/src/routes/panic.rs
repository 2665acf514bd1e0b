//! Makes a part of paddock panic, for tests (`POST /api/panic/{part}`). Release builds have no such route.

use super::AdminContext;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use paddock_supervisor::Failpoint;

/// Makes the named part panic: the runtime or one worker by a message, the admin plane at once, and the spawner when
/// paddock next starts a child.
pub(super) async fn panic(
    State(admin): State<AdminContext>,
    Path(part): Path<String>,
) -> StatusCode {
    match part.as_str() {
        "runtime" => {
            Failpoint::Runtime.arm();
            drop(admin.shared.runtime.snapshot().await);
        }
        "spawner" => Failpoint::Spawner.arm(),
        "worker" => {
            Failpoint::Worker.arm();
            drop(admin.workers.counts().await);
        }
        "admin" => {
            Failpoint::Admin.arm();
            Failpoint::Admin.check();
        }
        _ => return StatusCode::NOT_FOUND,
    }
    StatusCode::ACCEPTED
}
