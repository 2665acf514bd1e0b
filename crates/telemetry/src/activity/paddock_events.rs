//! Makes lifecycle events of paddock's own starts and stops.

use super::LifecycleEvent;
use std::time::SystemTime;

/// Model name that stands for paddock itself.
pub(super) const MODEL_NAME: &str = "";

/// Name of the start event.
const STARTED: &str = "started";

/// Returns the event of paddock's start; `cut_off` if the previous run never recorded its stop.
pub(super) fn started_event(cut_off: bool) -> LifecycleEvent {
    let version = env!("CARGO_PKG_VERSION");
    let (reason, before) = match cut_off {
        false => (None, ""),
        true => (
            Some("cut_off"),
            "; the previous run did not shut down cleanly: it was killed, or the machine went down",
        ),
    };
    paddock_event(
        STARTED,
        reason,
        format!("paddock {version} started{before}"),
    )
}

/// Returns true for a start: as the newest event of an earlier run it means that the run was cut off.
pub(super) fn is_start(last: &LifecycleEvent) -> bool {
    last.event == STARTED
}

/// Returns the event of paddock's stop: by a signal, or because the part named in `panicked` has panicked.
pub fn stopped_event(panicked: Option<&str>) -> LifecycleEvent {
    match panicked {
        None => paddock_event(
            "stopped",
            Some("signal"),
            "paddock is stopping after a signal".to_owned(),
        ),
        Some(part) => paddock_event(
            "stopped",
            Some("panic"),
            format!("paddock is stopping: {part} panicked"),
        ),
    }
}

fn paddock_event(
    event: &'static str,
    reason: Option<&'static str>,
    message: String,
) -> LifecycleEvent {
    LifecycleEvent {
        at: SystemTime::now(),
        model: MODEL_NAME.into(),
        event: event.into(),
        reason: reason.map(Into::into),
        message,
    }
}
