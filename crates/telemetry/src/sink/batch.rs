use super::Fact;
use bytes::Bytes;
use paddock_api::PostedEvent;

/// The most facts in a batch: some 300 KB.
pub(super) const MOST: usize = 500;

/// Facts that are posted together.
#[derive(Debug)]
pub(crate) struct Batch {
    /// What is posted, every time the same.
    pub(super) body: Bytes,
    /// By this the receiver knows a batch that it has taken before.
    pub(super) key: String,
    /// How many there are.
    pub(super) facts: usize,
}

impl Batch {
    /// Puts facts together, in their order, as an array of what the admin plane lists; what each is stands
    /// with it as its `type`.
    pub(super) fn of(facts: &[Fact], key: String) -> Self {
        let events: Vec<PostedEvent> = facts.iter().map(posted).collect();
        // These types have no map whose keys could be anything but text, which is all that can fail.
        let body = serde_json::to_vec(&events).unwrap_or_default();
        Self {
            body: body.into(),
            key,
            facts: facts.len(),
        }
    }
}

fn posted(fact: &Fact) -> PostedEvent {
    match fact {
        Fact::Request(ended) => PostedEvent::Request(ended.1.to_api(ended.0)),
        Fact::Lifecycle(event) => PostedEvent::Lifecycle(event.1.to_api(event.0)),
    }
}
