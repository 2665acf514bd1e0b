//! Tells the child's instance which inference requests the child answers, and which with a server error.

use super::client::Client;
use paddock_admission::model::Model;

/// Takes note of the answer whose head has come.
pub(super) fn note_answer(client: &Client, model: &Model) {
    let Some((route, status)) = client.record.route_and_status() else {
        return;
    };
    if !route.is_inference() {
        return;
    }
    match status {
        200..=399 => model.inference_errors.answered(),
        // The route is not there, or not for the moment (RFC 9110 §15.6.2, §15.6.4).
        501 | 503 => {}
        500..=599 => model.inference_errors.failed(),
        // A client's error says nothing of the child.
        _ => {}
    }
}
