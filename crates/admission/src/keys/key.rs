//! An API key: its scopes, models, expiry and limits, and the usage that all its requests share.

use super::token_bucket::{RatePerMinute, TokenBucket};
use crate::error::ProxyError;
use paddock_config::{ApiKey, Expiry, Scope};
use paddock_scheduler::ModelId;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::SystemTime;
use tokio::time::Instant;

/// Permissions and limits of the clients that have a key's secret.
#[derive(Debug)]
pub struct Key {
    /// Name of the key.
    pub name: Arc<str>,
    allow: Vec<Scope>,
    expires: Option<Expiry>,
    /// Allowed models, sorted; `None` for all.
    models: Option<Vec<ModelId>>,
    /// Maximum number of requests in flight; `None` for any number.
    pub(super) max_concurrent: Option<NonZeroU32>,
    pub(super) requests: Option<RatePerMinute>,
    pub(super) tokens: Option<RatePerMinute>,
    pub(super) usage: Arc<KeyUsage>,
}

/// The API key of a request on the public plane (the addresses for clients); `None` if no key was required.
#[derive(Debug, Clone, Default)]
pub struct AuthenticatedKey(pub Option<Arc<Key>>);

impl AuthenticatedKey {
    /// Returns whether the client may see every model.
    pub fn is_for_all(&self) -> bool {
        self.0.as_ref().is_none_or(|key| key.is_for_all())
    }

    /// Returns whether the client may see a model.
    pub fn is_for(&self, model: ModelId) -> bool {
        self.0.as_ref().is_none_or(|key| key.is_for(model))
    }
}

/// Usage of a key's limits, counted across all threads.
#[derive(Debug)]
pub(super) struct KeyUsage {
    /// Origin of the buckets' times.
    epoch: Instant,
    pub(super) in_flight: AtomicU32,
    pub(super) requests: TokenBucket,
    pub(super) tokens: TokenBucket,
}

/// A limit that a key has reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyLimit {
    /// `max_concurrent`
    Concurrent,
    /// `requests_per_minute`
    Requests,
    /// `tokens_per_minute`
    Tokens,
}

impl Key {
    pub(super) fn new(
        config: &ApiKey,
        model_id: impl Fn(&str) -> Option<ModelId>,
        before: Option<&Self>,
    ) -> Self {
        let models = config.models.as_ref().map(|models| {
            let ids = models.iter().filter_map(|model| model_id(model));
            let mut ids: Vec<_> = ids.collect();
            ids.sort_unstable();
            ids
        });
        let usage = before.map(|before| Arc::clone(&before.usage));
        Self {
            name: config.name.as_str().into(),
            allow: config.allow.clone(),
            expires: config.expires,
            models,
            max_concurrent: NonZeroU32::new(config.max_concurrent),
            requests: NonZeroU32::new(config.requests_per_minute).map(RatePerMinute),
            tokens: NonZeroU32::new(config.tokens_per_minute).map(RatePerMinute),
            usage: usage.unwrap_or_else(|| {
                Arc::new(KeyUsage {
                    epoch: Instant::now(),
                    in_flight: AtomicU32::new(0),
                    requests: TokenBucket::default(),
                    tokens: TokenBucket::default(),
                })
            }),
        }
    }

    /// Returns whether the key has a scope.
    pub(crate) fn allows(&self, scope: Scope) -> bool {
        self.allow.contains(&scope)
    }

    /// Returns whether the key allows a model.
    pub(crate) fn is_for(&self, model: ModelId) -> bool {
        let models = self.models.as_ref();
        models.is_none_or(|models| models.binary_search(&model).is_ok())
    }

    /// Returns whether the key allows every model.
    pub(crate) fn is_for_all(&self) -> bool {
        self.models.is_none()
    }

    /// Returns an error if the key has expired. Reading the clock costs about 20 ns, so only keys that expire do.
    pub fn check_expiry(&self) -> Result<(), ProxyError> {
        match self.expires {
            Some(expired) if expired.has_passed(SystemTime::now()) => Err(ProxyError::KeyExpired {
                key: self.name.to_string(),
                expired,
            }),
            _ => Ok(()),
        }
    }

    /// Returns an error if the key has none of `scopes`.
    pub fn check(&self, scopes: &[Scope]) -> Result<(), ProxyError> {
        if scopes.iter().any(|scope| self.allows(*scope)) {
            return Ok(());
        }
        let word = |scope: &Scope| format!("`{}`", scope.as_str());
        let words = |scopes: &[Scope], and: &str| {
            let words: Vec<_> = scopes.iter().map(word).collect();
            words.join(and)
        };
        Err(ProxyError::ForbiddenScope {
            key: self.name.to_string(),
            needs: words(scopes, " or "),
            allows: words(&self.allow, " and "),
        })
    }
}

impl KeyUsage {
    pub(super) fn nanos_at(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.epoch).as_nanos();
        u64::try_from(since).unwrap_or(u64::MAX)
    }
}

impl KeyLimit {
    /// Returns the name of the limit in the configuration file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Concurrent => "max_concurrent",
            Self::Requests => "requests_per_minute",
            Self::Tokens => "tokens_per_minute",
        }
    }
}
