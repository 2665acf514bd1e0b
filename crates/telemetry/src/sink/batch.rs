//! Turns a batch of events into JSON, ready to be posted to the configured receiver.

use super::SinkEvent;
use bytes::Bytes;
use paddock_api::PostedEvent;

/// Maximum events in a batch: about 300 KB.
pub(super) const MAX_BATCH_EVENTS: usize = 500;

/// Events that are posted together.
#[derive(Debug)]
pub(crate) struct PostBatch {
    /// JSON body, the same for every attempt.
    pub(super) body: Bytes,
    /// Idempotency key, the same for every attempt, by which the receiver recognizes a repeated batch.
    pub(super) key: String,
    /// Number of events.
    pub(super) events: usize,
}

impl PostBatch {
    /// Serializes events in order as an array of the admin API's types, each tagged with its `type`.
    pub(super) fn new(events: &[SinkEvent], key: String) -> Self {
        let posted: Vec<PostedEvent> = events.iter().map(to_posted).collect();
        // Serializing fails only for maps with non-text keys, which these types do not have.
        let body = serde_json::to_vec(&posted).unwrap_or_default();
        Self {
            body: body.into(),
            key,
            events: events.len(),
        }
    }
}

fn to_posted(event: &SinkEvent) -> PostedEvent {
    match event {
        SinkEvent::Request(ended) => PostedEvent::Request(ended.1.to_api(ended.0)),
        SinkEvent::Lifecycle(event) => PostedEvent::Lifecycle(event.1.to_api(event.0)),
    }
}
