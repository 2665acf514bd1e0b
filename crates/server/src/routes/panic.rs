//! Makes a part of paddock panic, for tests. Release builds have no such route.

use super::AdminContext;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use paddock_supervisor::Failpoint;

/// Makes the named part panic at its next message, and sends one to the runtime or to the workers. The spawner panics
/// when it next starts a child.
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
