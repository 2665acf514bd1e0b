//! Which key opened which stream.
//!
//! llama-server goes on with a stream whose request names a conversation (`X-Conversation-Id`) when its client
//! leaves, and keeps what it said for 300 s after its end (llama.cpp b11434, tools/server/server-stream.cpp,
//! `STREAM_SESSION_TTL_SECONDS`). Whoever knows the conversation's id can read it, stop it, or end it by
//! opening another one of the same id. Conversations are bound here to the key that opened them.
//!
//! Only requests that have to do with such streams come here: no other one takes the lock.

use paddock_scheduler::ModelId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// For how long a stream is a key's after an answer that passed whole: the child forgets it sooner.
const ENDED_TTL: Duration = Duration::from_mins(6);

/// The same of a stream that was left. When the child comes to its end nobody sees.
const LEFT_TTL: Duration = Duration::from_hours(1);

/// The most streams without a request of their own that are remembered of a key.
const MAX_KEPT: usize = 256;

/// The separator of a conversation id's parts: a lookup of one part finds all that begin with it.
const SEPARATOR: &[u8] = b"::";

/// The streams that keys have opened. It outlives a reload.
#[derive(Debug, Default)]
pub struct Streams(Mutex<Table>);

/// Another key has opened a stream of this id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken;

/// The end of the request that opened a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamEnd {
    /// It did not reach the child.
    Unopened,
    /// The answer passed whole.
    Whole,
    /// The client left, or the answer broke off.
    Left,
}

/// A request that opens a stream, from its admission to its end.
#[derive(Debug)]
pub struct OpenStream {
    streams: Arc<Streams>,
    model: ModelId,
    conversation: Arc<[u8]>,
    end: StreamEnd,
}

impl Streams {
    /// Opens a key's stream of a conversation, unless another key has.
    pub fn open(
        self: &Arc<Self>,
        model: ModelId,
        conversation: &[u8],
        key: &Arc<str>,
    ) -> Result<OpenStream, Taken> {
        let conversation: Arc<[u8]> = conversation.into();
        let now = Instant::now();
        self.table().open(model, &conversation, key, now)?;
        Ok(OpenStream {
            streams: Arc::clone(self),
            model,
            conversation,
            end: StreamEnd::Left,
        })
    }

    /// Returns whether a key has opened the stream of a conversation.
    pub fn are_of(&self, model: ModelId, conversation: &[u8], key: &str) -> bool {
        let owner = self.table().owner(model, conversation, Instant::now());
        owner.is_some_and(|owner| *owner == *key)
    }

    /// Returns whether a lookup of this id can find a stream of another key.
    pub fn find_others(&self, model: ModelId, id: &[u8], key: &str) -> bool {
        self.table().find_others(model, id, key, Instant::now())
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenStream {
    /// Says how its request ends; without that its client has left.
    pub(crate) fn ends(&mut self, end: StreamEnd) {
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

type Place = (ModelId, Arc<[u8]>);

#[derive(Debug, Default)]
struct Table(HashMap<Place, Owner>);

#[derive(Debug)]
struct Owner {
    key: Arc<str>,
    /// The number of requests in flight that open the stream.
    requests: usize,
    /// Until when it is the key's while there are none.
    until: Instant,
}

impl Owner {
    fn is_over(&self, now: Instant) -> bool {
        self.requests == 0 && self.until <= now
    }
}

impl Table {
    fn open(
        &mut self,
        model: ModelId,
        conversation: &Arc<[u8]>,
        key: &Arc<str>,
        now: Instant,
    ) -> Result<(), Taken> {
        let place = (model, Arc::clone(conversation));
        if let Some(owner) = self.0.get_mut(&place).filter(|owner| !owner.is_over(now)) {
            if owner.key != *key {
                return Err(Taken);
            }
            owner.requests += 1;
            return Ok(());
        }
        self.make_room(key, now);
        let owner = Owner {
            key: Arc::clone(key),
            requests: 1,
            until: now,
        };
        self.0.insert(place, owner);
        Ok(())
    }

    /// Forgets streams that are over and, where a key has too many others, the one that is over first.
    fn make_room(&mut self, key: &Arc<str>, now: Instant) {
        self.0.retain(|_, owner| !owner.is_over(now));
        let kept = || {
            let owners = self.0.iter();
            owners.filter(|(_, owner)| owner.key == *key && owner.requests == 0)
        };
        if kept().count() < MAX_KEPT {
            return;
        }
        let first = kept().min_by_key(|(_, owner)| owner.until);
        if let Some(place) = first.map(|(place, _)| place.clone()) {
            self.0.remove(&place);
        }
    }

    fn end(&mut self, model: ModelId, conversation: &Arc<[u8]>, end: StreamEnd, now: Instant) {
        let place = (model, Arc::clone(conversation));
        let Some(owner) = self.0.get_mut(&place) else {
            return;
        };
        owner.requests = owner.requests.saturating_sub(1);
        let until = match end {
            StreamEnd::Unopened => owner.until,
            StreamEnd::Whole => now + ENDED_TTL,
            StreamEnd::Left => now + LEFT_TTL,
        };
        owner.until = owner.until.max(until);
        if owner.is_over(now) {
            self.0.remove(&place);
        }
    }

    fn owner(&self, model: ModelId, conversation: &[u8], now: Instant) -> Option<Arc<str>> {
        let owner = self.0.get(&(model, conversation.into()))?;
        (!owner.is_over(now)).then(|| Arc::clone(&owner.key))
    }

    fn find_others(&self, model: ModelId, id: &[u8], key: &str, now: Instant) -> bool {
        self.0.iter().any(|((of, conversation), owner)| {
            let rest = conversation.strip_prefix(id);
            let found = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(SEPARATOR));
            *of == model && found && *owner.key != *key && !owner.is_over(now)
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
            (StreamEnd::Unopened, Duration::ZERO),
            (StreamEnd::Whole, ENDED_TTL),
            (StreamEnd::Left, LEFT_TTL),
        ] {
            let streams = Arc::new(Streams::default());
            let mut stream = streams.open(MODEL, b"c", &a).unwrap();
            tokio::time::advance(2 * LEFT_TTL).await;
            assert_eq!(
                streams.open(MODEL, b"c", &b).unwrap_err(),
                Taken,
                "in flight"
            );
            assert!(streams.are_of(MODEL, b"c", "a") && !streams.are_of(MODEL, b"c", "b"));
            stream.ends(end);
            drop(stream);
            if ttl > Duration::ZERO {
                tokio::time::advance(ttl.saturating_sub(INSTANT)).await;
                assert!(streams.are_of(MODEL, b"c", "a"));
                assert_eq!(streams.open(MODEL, b"c", &b).unwrap_err(), Taken, "{end:?}");
                drop(streams.open(MODEL, b"other", &b).unwrap());
                drop(streams.open(ModelId(1), b"c", &b).unwrap());
                tokio::time::advance(INSTANT).await;
            }
            assert!(!streams.are_of(MODEL, b"c", "a"));
            assert!(streams.open(MODEL, b"c", &b).is_ok(), "{end:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_opens_its_own_again_and_the_longest_life_counts() {
        let a = key("a");
        let streams = Arc::new(Streams::default());
        let left = streams.open(MODEL, b"c", &a).unwrap();
        let mut again = streams.open(MODEL, b"c", &a).unwrap();
        drop(left);
        again.ends(StreamEnd::Unopened);
        drop(again);
        tokio::time::advance(LEFT_TTL.saturating_sub(INSTANT)).await;
        assert!(streams.are_of(MODEL, b"c", "a"));
    }

    #[test]
    fn a_lookup_finds_an_id_and_what_begins_with_it() {
        let now = Instant::now();
        let mut table = Table::default();
        table.open(MODEL, &id("c::m"), &key("a"), now).unwrap();
        let find = |text: &str, key: &str| table.find_others(MODEL, text.as_bytes(), key, now);
        for text in ["c", "c::m"] {
            assert!(find(text, "b"), "{text}");
            assert!(!find(text, "a"), "{text}");
        }
        for text in ["c:", "c::", "c::mm", "d", "::m"] {
            assert!(!find(text, "b"), "{text}");
        }
        assert!(!table.find_others(ModelId(1), b"c", "b", now));
    }

    #[test]
    fn a_key_that_opens_many_loses_its_own_oldest_and_no_other() {
        let (a, b) = (key("a"), key("b"));
        let now = Instant::now();
        let mut table = Table::default();
        let ends = |table: &mut Table, text: &str, key: &Arc<str>, at: Instant| {
            table.open(MODEL, &id(text), key, at).unwrap();
            table.end(MODEL, &id(text), StreamEnd::Left, at);
        };
        ends(&mut table, "b", &b, now);
        table.open(MODEL, &id("in flight"), &a, now).unwrap();
        for number in 0..2 * MAX_KEPT {
            let at = now + Duration::from_millis(number as u64);
            ends(&mut table, &number.to_string(), &a, at);
        }
        let later = now + Duration::from_secs(1);
        assert_eq!(table.0.len(), MAX_KEPT + 2);
        let owner = |text: &str| table.owner(MODEL, text.as_bytes(), later);
        assert_eq!(owner("b").as_deref(), Some("b"));
        assert_eq!(owner("in flight").as_deref(), Some("a"));
        assert_eq!(owner("0"), None);
        assert_eq!(owner(&(2 * MAX_KEPT - 1).to_string()).as_deref(), Some("a"));
    }
}
