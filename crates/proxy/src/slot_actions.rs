//! Refuses client requests that save, restore or erase slots which paddock itself saves and restores: clients could
//! replace a conversation, or write into the child's staging directory.
//!
//! The child accepts these actions only because paddock passes `--slot-save-path`. A client gets the answer that a
//! child without this flag gives.

use super::exchange::{Exchange, endpoint_for};
use paddock_admission::error::ProxyError;
use paddock_admission::model::{Lease, Model};
use paddock_admission::upstream_routes::is_slot_action;
use paddock_telemetry::Route;

/// Refuses a slot action if paddock keeps the contexts of the lease's child. The check needs the lease, which
/// determines the child that gets the request.
pub(super) fn check(
    exchange: &Exchange<'_>,
    model: &Model,
    lease: &Lease,
) -> Result<(), ProxyError> {
    match exchange.client.status.route() {
        // All spellings of the child's slot route have one of these routes. The paths of other routes end in a word,
        // which is not a slot number.
        Route::Slots | Route::Models | Route::Other => check_target(exchange, model, lease),
        _ => Ok(()),
    }
}

#[cold]
fn check_target(exchange: &Exchange<'_>, model: &Model, lease: &Lease) -> Result<(), ProxyError> {
    // The head as sent to the child, without `/upstream/{model}`.
    let mut words = exchange.request.buffer.bytes().split(|byte| *byte == b' ');
    let method = words.next().unwrap_or_default();
    let target = words.next().unwrap_or_default();
    let path = target.split(|byte| *byte == b'?').next();
    if is_slot_action(method, path.unwrap_or_default())
        && endpoint_for(model, lease).is_some_and(|endpoint| endpoint.keeps_contexts)
    {
        return Err(ProxyError::SlotsReserved);
    }
    Ok(())
}
