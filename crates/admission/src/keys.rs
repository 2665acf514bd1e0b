//! API keys: which scopes and models a key allows, and how much of its limits is used.
//!
//! | file | contents |
//! |---|---|
//! | `key.rs` | scopes, models and expiry of a key; its limits and their usage |
//! | `key_use.rs` | the use of a key by one request, and the limit it reaches |
//! | `token_bucket.rs` | limits per minute |
//! | `credentials.rs` | the secrets in a request's fields |
//! | `stream_owners.rs` | the key that opened each resumable stream |
//!
//! [`Keys`] is immutable; a reload of the configuration replaces it. paddock knows only the hash of a secret.

mod credentials;
mod key;
mod key_use;
mod stream_owners;
mod token_bucket;

pub use credentials::credential_in_field;
pub use key::{AuthenticatedKey, Key, KeyLimit};
pub use key_use::{KeyUse, StreamUse};
pub use stream_owners::{OpenStream, StreamEnd, StreamOwners};

use paddock_config::{ApiKey, KeyHash, Scope};
use paddock_scheduler::ModelId;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// The configured keys.
#[derive(Debug, Default)]
pub struct Keys {
    /// Sorted by hash.
    by_hash: Vec<(KeyHash, Arc<Key>)>,
    /// Owners of resumable streams; kept across reloads.
    streams: Arc<StreamOwners>,
}

impl Keys {
    /// Creates the keys of a configuration. A key keeps the usage of the key of the same name in `before`,
    /// the keys that are being replaced.
    pub fn new(
        configured: &[ApiKey],
        model_id: impl Fn(&str) -> Option<ModelId>,
        before: &Self,
    ) -> Self {
        let keys = configured.iter().map(|config| {
            let known = before.by_hash.iter().map(|(_, key)| key);
            let known = known.into_iter().find(|key| *key.name == *config.name);
            let key = Key::new(config, &model_id, known.map(AsRef::as_ref));
            (config.hash, Arc::new(key))
        });
        let mut by_hash: Vec<_> = keys.collect();
        by_hash.sort_unstable_by_key(|(hash, _)| *hash);
        Self {
            by_hash,
            streams: Arc::clone(&before.streams),
        }
    }

    /// Returns the streams that keys have opened.
    pub const fn streams(&self) -> &Arc<StreamOwners> {
        &self.streams
    }

    /// Returns whether no key is configured, so that clients need none.
    pub fn is_empty(&self) -> bool {
        self.by_hash.is_empty()
    }

    /// Returns whether any key has one of these scopes.
    pub fn has_key_for(&self, scopes: &[Scope]) -> bool {
        let mut keys = self.by_hash.iter().map(|(_, key)| key);
        keys.any(|key| scopes.iter().any(|scope| key.allows(*scope)))
    }

    /// Returns the key with this secret. The time it takes depends only on the first 8 bytes of the secret's hash,
    /// from which the secret cannot be found.
    pub fn find(&self, secret: &[u8]) -> Option<&Arc<Key>> {
        let hash = KeyHash::from_secret(secret);
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
            hash: KeyHash::from_secret(secret.as_bytes()),
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
        assert!(!none.has_key_for(&[Scope::Inference, Scope::Admin, Scope::Metrics]));
        let some = keys(&["a"]);
        assert!(some.has_key_for(&[Scope::Admin, Scope::Inference]));
        assert!(!some.has_key_for(&[Scope::Admin]));
    }
}
