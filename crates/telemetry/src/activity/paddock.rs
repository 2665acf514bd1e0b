//! paddock's own starts and ends, among what became of models.

use super::Lifecycle;
use std::time::SystemTime;

/// What stands in a model's place.
pub(super) const NAME: &str = "";

/// What a start is called.
const STARTED: &str = "started";

/// paddock has started; the run before may have been cut off.
pub(super) fn started(cut_off: bool) -> Lifecycle {
    let version = env!("CARGO_PKG_VERSION");
    let (reason, before) = match cut_off {
        false => (None, ""),
        true => (
            Some("cut_off"),
            "; the run before did not say that it ended: it was killed, or the machine went down",
        ),
    };
    own(
        STARTED,
        reason,
        format!("paddock {version} has started{before}"),
    )
}

/// Whether what happened to paddock last is a start: it never said that it ended.
pub(super) fn is_cut_off(last: &Lifecycle) -> bool {
    last.event == STARTED
}

/// paddock ends: it was told to, or this part of it has panicked.
pub fn stopped(broken: Option<&str>) -> Lifecycle {
    match broken {
        None => own(
            "stopped",
            Some("signal"),
            "paddock ends: a signal told it to".to_owned(),
        ),
        Some(part) => own(
            "stopped",
            Some("panic"),
            format!("paddock ends: {part} ended by a panic"),
        ),
    }
}

fn own(event: &'static str, reason: Option<&'static str>, message: String) -> Lifecycle {
    Lifecycle {
        at: SystemTime::now(),
        model: NAME.into(),
        event: event.into(),
        reason: reason.map(Into::into),
        message,
    }
}
