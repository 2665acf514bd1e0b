//! Counts the inference requests that a child (a model's llama-server) answers, and those that it fails with a
//! server error, so that the supervisor notices a broken child.

use super::client::Client;
use paddock_admission::model::Model;

/// Counts a child's response by its status, once its head has arrived.
pub(super) fn record_response(client: &Client, model: &Model) {
    let Some((route, status)) = client.record.route_and_status() else {
        return;
    };
    if !route.is_inference() {
        return;
    }
    match status {
        200..=399 => model.inference_errors.answered(),
        // The route does not exist, or is unavailable for the moment (RFC 9110 §15.6.2, §15.6.4).
        501 | 503 => {}
        500..=599 => model.inference_errors.failed(),
        // A client's error says nothing about the child.
        _ => {}
    }
}
