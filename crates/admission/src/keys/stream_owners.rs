//! The owner of each resumable stream: the API key that opened it.
//!
//! llama-server continues a stream whose request names a conversation (`X-Conversation-Id`) when its client
//! leaves, and keeps its output for 300 s after its end (llama.cpp b11434, tools/server/server-stream.cpp,
//! `STREAM_SESSION_TTL_SECONDS`). Any client that knows the conversation's id can read the stream, stop it, or end
//! it by opening another of the same id. This table binds conversations to the key that opened them.
//!
//! Only requests that use such streams take the table's lock.

use paddock_scheduler::ModelId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Time for which a key owns a stream after its complete response: the child forgets the stream sooner.
const ENDED_TTL: Duration = Duration::from_mins(6);

/// Time for which a key owns a stream that its client left: paddock cannot see when the child finishes it.
const ABANDONED_TTL: Duration = Duration::from_hours(1);

/// Maximum number of streams without a request in flight that are remembered per key.
const MAX_IDLE_PER_KEY: usize = 256;

/// Separator of a conversation id's parts: a lookup of one part finds all ids that begin with it.
const SEPARATOR: &[u8] = b"::";

/// The streams that keys have opened. The table outlives a reload.
#[derive(Debug, Default)]
pub struct StreamOwners(Mutex<OwnerTable>);

/// Error: another key has opened a stream of this id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnedByAnotherKey;

/// The end of the request that opened a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamEnd {
    /// The request did not reach the child.
    NotSent,
    /// The client received the complete response.
    Complete,
    /// The client left, or the response broke off.
    Abandoned,
}

/// A request that opens a stream, from its admission to its end.
#[derive(Debug)]
pub struct OpenStream {
    streams: Arc<StreamOwners>,
    model: ModelId,
    conversation: Arc<[u8]>,
    end: StreamEnd,
}

impl StreamOwners {
    /// Opens a key's stream of a conversation, unless another key has.
    pub fn open(
        self: &Arc<Self>,
        model: ModelId,
        conversation: &[u8],
        key: &Arc<str>,
    ) -> Result<OpenStream, OwnedByAnotherKey> {
        let conversation: Arc<[u8]> = conversation.into();
        let now = Instant::now();
        self.table().open(model, &conversation, key, now)?;
        Ok(OpenStream {
            streams: Arc::clone(self),
            model,
            conversation,
            end: StreamEnd::Abandoned,
        })
    }

    /// Returns whether a key has opened the stream of a conversation.
    pub fn is_owned_by(&self, model: ModelId, conversation: &[u8], key: &str) -> bool {
        let owner = self.table().owner(model, conversation, Instant::now());
        owner.is_some_and(|owner| *owner == *key)
    }

    /// Returns whether a lookup of this id can find a stream of another key.
    pub fn has_other_owner(&self, model: ModelId, id: &[u8], key: &str) -> bool {
        self.table().has_other_owner(model, id, key, Instant::now())
    }

    fn table(&self) -> MutexGuard<'_, OwnerTable> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenStream {
    /// Sets how the request ended; by default its client has left.
    pub(crate) fn set_end(&mut self, end: StreamEnd) {
        self.end = end;
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut table = self.streams.table();
        table.end(self.model, &self.conversation, self.end, now);
    }
}

type StreamId = (ModelId, Arc<[u8]>);

#[derive(Debug, Default)]
struct OwnerTable(HashMap<StreamId, StreamOwner>);

#[derive(Debug)]
struct StreamOwner {
    key: Arc<str>,
    /// The number of requests in flight that open the stream.
    requests: usize,
    /// End of the ownership while no request is in flight.
    expires_at: Instant,
}

impl StreamOwner {
    fn has_expired(&self, now: Instant) -> bool {
        self.requests == 0 && self.expires_at <= now
    }
}

impl OwnerTable {
    fn open(
        &mut self,
        model: ModelId,
        conversation: &Arc<[u8]>,
        key: &Arc<str>,
        now: Instant,
    ) -> Result<(), OwnedByAnotherKey> {
        let id = (model, Arc::clone(conversation));
        if let Some(owner) = self.0.get_mut(&id).filter(|owner| !owner.has_expired(now)) {
            if owner.key != *key {
                return Err(OwnedByAnotherKey);
            }
            owner.requests += 1;
            return Ok(());
        }
        self.make_room(key, now);
        let owner = StreamOwner {
            key: Arc::clone(key),
            requests: 1,
            expires_at: now,
        };
        self.0.insert(id, owner);
        Ok(())
    }

    /// Removes expired streams and, if a key has too many idle ones, the one that expires first.
    fn make_room(&mut self, key: &Arc<str>, now: Instant) {
        self.0.retain(|_, owner| !owner.has_expired(now));
        let idle = || {
            let owners = self.0.iter();
            owners.filter(|(_, owner)| owner.key == *key && owner.requests == 0)
        };
        if idle().count() < MAX_IDLE_PER_KEY {
            return;
        }
        let first = idle().min_by_key(|(_, owner)| owner.expires_at);
        if let Some(id) = first.map(|(id, _)| id.clone()) {
            self.0.remove(&id);
        }
    }

    fn end(&mut self, model: ModelId, conversation: &Arc<[u8]>, end: StreamEnd, now: Instant) {
        let id = (model, Arc::clone(conversation));
        let Some(owner) = self.0.get_mut(&id) else {
            return;
        };
        owner.requests = owner.requests.saturating_sub(1);
        let expires_at = match end {
            StreamEnd::NotSent => owner.expires_at,
            StreamEnd::Complete => now + ENDED_TTL,
            StreamEnd::Abandoned => now + ABANDONED_TTL,
        };
        owner.expires_at = owner.expires_at.max(expires_at);
        if owner.has_expired(now) {
            self.0.remove(&id);
        }
    }

    fn owner(&self, model: ModelId, conversation: &[u8], now: Instant) -> Option<Arc<str>> {
        let owner = self.0.get(&(model, conversation.into()))?;
        (!owner.has_expired(now)).then(|| Arc::clone(&owner.key))
    }

    fn has_other_owner(&self, model: ModelId, id: &[u8], key: &str, now: Instant) -> bool {
        self.0.iter().any(|((of, conversation), owner)| {
            let rest = conversation.strip_prefix(id);
            let found = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(SEPARATOR));
            *of == model && found && *owner.key != *key && !owner.has_expired(now)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: ModelId = ModelId(0);

    const INSTANT: Duration = Duration::from_millis(1);

    fn id(text: &str) -> Arc<[u8]> {
        text.as_bytes().into()
    }

    fn key(text: &str) -> Arc<str> {
        text.into()
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_is_its_keys_until_the_child_has_forgotten_it() {
        let (a, b) = (key("a"), key("b"));
        for (end, ttl) in [
            (StreamEnd::NotSent, Duration::ZERO),
            (StreamEnd::Complete, ENDED_TTL),
            (StreamEnd::Abandoned, ABANDONED_TTL),
        ] {
            let streams = Arc::new(StreamOwners::default());
            let mut stream = streams.open(MODEL, b"c", &a).unwrap();
            tokio::time::advance(2 * ABANDONED_TTL).await;
            assert_eq!(
                streams.open(MODEL, b"c", &b).unwrap_err(),
                OwnedByAnotherKey,
                "in flight"
            );
            assert!(
                streams.is_owned_by(MODEL, b"c", "a") && !streams.is_owned_by(MODEL, b"c", "b")
            );
            stream.set_end(end);
            drop(stream);
            if ttl > Duration::ZERO {
                tokio::time::advance(ttl.saturating_sub(INSTANT)).await;
                assert!(streams.is_owned_by(MODEL, b"c", "a"));
                assert_eq!(
                    streams.open(MODEL, b"c", &b).unwrap_err(),
                    OwnedByAnotherKey,
                    "{end:?}"
                );
                drop(streams.open(MODEL, b"other", &b).unwrap());
                drop(streams.open(ModelId(1), b"c", &b).unwrap());
                tokio::time::advance(INSTANT).await;
            }
            assert!(!streams.is_owned_by(MODEL, b"c", "a"));
            assert!(streams.open(MODEL, b"c", &b).is_ok(), "{end:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_opens_its_own_again_and_the_longest_life_counts() {
        let a = key("a");
        let streams = Arc::new(StreamOwners::default());
        let left = streams.open(MODEL, b"c", &a).unwrap();
        let mut again = streams.open(MODEL, b"c", &a).unwrap();
        drop(left);
        again.set_end(StreamEnd::NotSent);
        drop(again);
        tokio::time::advance(ABANDONED_TTL.saturating_sub(INSTANT)).await;
        assert!(streams.is_owned_by(MODEL, b"c", "a"));
    }

    #[test]
    fn a_lookup_finds_an_id_and_what_begins_with_it() {
        let now = Instant::now();
        let mut table = OwnerTable::default();
        table.open(MODEL, &id("c::m"), &key("a"), now).unwrap();
        let find = |text: &str, key: &str| table.has_other_owner(MODEL, text.as_bytes(), key, now);
        for text in ["c", "c::m"] {
            assert!(find(text, "b"), "{text}");
            assert!(!find(text, "a"), "{text}");
        }
        for text in ["c:", "c::", "c::mm", "d", "::m"] {
            assert!(!find(text, "b"), "{text}");
        }
        assert!(!table.has_other_owner(ModelId(1), b"c", "b", now));
    }

    #[test]
    fn a_key_that_opens_many_loses_its_own_oldest_and_no_other() {
        let (a, b) = (key("a"), key("b"));
        let now = Instant::now();
        let mut table = OwnerTable::default();
        let ends = |table: &mut OwnerTable, text: &str, key: &Arc<str>, at: Instant| {
            table.open(MODEL, &id(text), key, at).unwrap();
            table.end(MODEL, &id(text), StreamEnd::Abandoned, at);
        };
        ends(&mut table, "b", &b, now);
        table.open(MODEL, &id("in flight"), &a, now).unwrap();
        for number in 0..2 * MAX_IDLE_PER_KEY {
            let at = now + Duration::from_millis(number as u64);
            ends(&mut table, &number.to_string(), &a, at);
        }
        let later = now + Duration::from_secs(1);
        assert_eq!(table.0.len(), MAX_IDLE_PER_KEY + 2);
        let owner = |text: &str| table.owner(MODEL, text.as_bytes(), later);
        assert_eq!(owner("b").as_deref(), Some("b"));
        assert_eq!(owner("in flight").as_deref(), Some("a"));
        assert_eq!(owner("0"), None);
        assert_eq!(
            owner(&(2 * MAX_IDLE_PER_KEY - 1).to_string()).as_deref(),
            Some("a")
        );
    }
}
