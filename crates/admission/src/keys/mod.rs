//! API keys: who may ask for what, and how much of it.
//!
//! | file | holds |
//! |---|---|
//! | `key.rs` | what a key allows, and what its requests use of its limits |
//! | `bucket.rs` | a limit by the minute, as a function of its state and the time |
//! | `shown.rs` | the secrets that a request shows |
//! | `streams.rs` | which key opened which stream that can be resumed |
//!
//! The table is immutable, and replaced with the catalog that it is part of. Of a secret only its hash is
//! known here.

mod bucket;
mod key;
mod shown;
mod streams;

pub use key::Limit;
pub use key::{Key, ShownKey, StreamUse, Visit};
pub use shown::of_field;
pub use streams::{OpenStream, StreamEnd, Streams};

use paddock_config::{ApiKey, KeyHash, Scope};
use paddock_scheduler::ModelId;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// The keys that are configured.
#[derive(Debug, Default)]
pub struct Keys {
    /// By their hashes, in order.
    by_hash: Vec<(KeyHash, Arc<Key>)>,
    streams: Arc<Streams>,
}

impl Keys {
    /// The keys of a configuration. What the requests of a key of the same name have used already of its
    /// limits counts on, as `before` knows it.
    pub fn new(
        configured: &[ApiKey],
        place_of: impl Fn(&str) -> Option<ModelId>,
        before: &Self,
    ) -> Self {
        let keys = configured.iter().map(|config| {
            let known = before.by_hash.iter().map(|(_, key)| key);
            let known = known.into_iter().find(|key| *key.name == *config.name);
            let key = Key::new(config, &place_of, known.map(AsRef::as_ref));
            (config.hash, Arc::new(key))
        });
        let mut by_hash: Vec<_> = keys.collect();
        by_hash.sort_unstable_by_key(|(hash, _)| *hash);
        Self {
            by_hash,
            streams: Arc::clone(&before.streams),
        }
    }

    /// The streams that keys have opened.
    pub const fn streams(&self) -> &Arc<Streams> {
        &self.streams
    }

    /// Nobody has to show one.
    pub fn is_empty(&self) -> bool {
        self.by_hash.is_empty()
    }

    /// There is a key for one of these.
    pub fn any_for(&self, scopes: &[Scope]) -> bool {
        let mut keys = self.by_hash.iter().map(|(_, key)| key);
        keys.any(|key| scopes.iter().any(|scope| key.allows(*scope)))
    }

    /// The key with this secret. How long it takes to say so tells nothing but how the secret's hash begins,
    /// and of a hash nobody finds the secret.
    pub fn find(&self, secret: &[u8]) -> Option<&Arc<Key>> {
        let hash = KeyHash::of(secret);
        let start =
            |hash: &KeyHash| u64::from_be_bytes(*hash.bytes().first_chunk().unwrap_or(&[0; 8]));
        let at = self
            .by_hash
            .partition_point(|(known, _)| start(known) < start(&hash));
        let close = self.by_hash.get(at..).unwrap_or_default();
        let mut close = close
            .iter()
            .take_while(|(known, _)| start(known) == start(&hash));
        let found = close.find(|(known, _)| known.bytes().ct_eq(hash.bytes()).into());
        found.map(|(_, key)| key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(secrets: &[&str]) -> Keys {
        let configured = secrets.iter().map(|secret| ApiKey {
            name: format!("of-{secret}"),
            hash: KeyHash::of(secret.as_bytes()),
            allow: vec![Scope::Inference],
            models: None,
            expires: None,
            max_concurrent: 0,
            requests_per_minute: 0,
            tokens_per_minute: 0,
        });
        let configured: Vec<_> = configured.collect();
        Keys::new(&configured, |_| None, &Keys::default())
    }

    #[test]
    fn each_secret_finds_its_key_and_no_other() {
        let secrets: Vec<String> = (0..100).map(|number| format!("s{number}")).collect();
        let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
        let keys = keys(&secrets);
        for secret in &secrets {
            let found = keys.find(secret.as_bytes()).unwrap();
            assert_eq!(*found.name, format!("of-{secret}"));
        }
        for other in ["", "s", "s100", "S1", "s1 "] {
            assert!(keys.find(other.as_bytes()).is_none(), "{other:?}");
        }
    }

    #[test]
    fn without_keys_none_is_found_and_there_is_one_for_nothing() {
        let none = Keys::default();
        assert!(none.is_empty() && none.find(b"").is_none());
        assert!(!none.any_for(&[Scope::Inference, Scope::Admin, Scope::Metrics]));
        let some = keys(&["a"]);
        assert!(some.any_for(&[Scope::Admin, Scope::Inference]));
        assert!(!some.any_for(&[Scope::Admin]));
    }
}
