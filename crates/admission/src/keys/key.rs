use super::bucket::{Bucket, Rate};
use super::streams::{OpenStream, StreamEnd};
use crate::error::ProxyError;
use paddock_config::{ApiKey, Expiry, Scope};
use paddock_scheduler::ModelId;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// What a client is told that has too much under way: how long that takes nobody knows.
const BUSY: Duration = Duration::from_secs(1);

/// What whoever has a key's secret may do.
#[derive(Debug)]
pub struct Key {
    /// Name of the key.
    pub name: Arc<str>,
    allow: Vec<Scope>,
    expires: Option<Expiry>,
    /// In order; `None` for all.
    models: Option<Vec<ModelId>>,
    max_concurrent: Option<NonZeroU32>,
    requests: Option<Rate>,
    tokens: Option<Rate>,
    used: Arc<Used>,
}

/// The API key that a request on the public plane has shown.
#[derive(Debug, Clone, Default)]
pub struct ShownKey(pub Option<Arc<Key>>);

impl ShownKey {
    /// Returns whether a client with this key, or without one, may know of every model.
    pub fn is_for_all(&self) -> bool {
        self.0.as_ref().is_none_or(|key| key.is_for_all())
    }

    /// Returns whether a client with this key, or without one, may know of a model.
    pub fn is_for(&self, model: ModelId) -> bool {
        self.0.as_ref().is_none_or(|key| key.is_for(model))
    }
}

/// What the requests of a key use of its limits, on all threads.
#[derive(Debug)]
struct Used {
    /// Where the buckets' times count from.
    since: Instant,
    under_way: AtomicU32,
    requests: Bucket,
    tokens: Bucket,
}

/// A limit that a key has reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
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
        place_of: impl Fn(&str) -> Option<ModelId>,
        before: Option<&Self>,
    ) -> Self {
        let models = config.models.as_ref().map(|models| {
            let places = models.iter().filter_map(|model| place_of(model));
            let mut places: Vec<_> = places.collect();
            places.sort_unstable();
            places
        });
        let used = before.map(|before| Arc::clone(&before.used));
        Self {
            name: config.name.as_str().into(),
            allow: config.allow.clone(),
            expires: config.expires,
            models,
            max_concurrent: NonZeroU32::new(config.max_concurrent),
            requests: NonZeroU32::new(config.requests_per_minute).map(Rate),
            tokens: NonZeroU32::new(config.tokens_per_minute).map(Rate),
            used: used.unwrap_or_else(|| {
                Arc::new(Used {
                    since: Instant::now(),
                    under_way: AtomicU32::new(0),
                    requests: Bucket::default(),
                    tokens: Bucket::default(),
                })
            }),
        }
    }

    /// Whether it is for this.
    pub(crate) fn allows(&self, scope: Scope) -> bool {
        self.allow.contains(&scope)
    }

    /// Whether it is for this model.
    pub(crate) fn is_for(&self, model: ModelId) -> bool {
        let models = self.models.as_ref();
        models.is_none_or(|models| models.binary_search(&model).is_ok())
    }

    /// Whether it is for every model there is.
    pub(crate) fn is_for_all(&self) -> bool {
        self.models.is_none()
    }

    /// Refuses a key that has expired. The clock is read only for keys that do: that costs some 20 ns.
    pub fn check_expiry(&self) -> Result<(), ProxyError> {
        match self.expires {
            Some(expired) if expired.has_passed(SystemTime::now()) => Err(ProxyError::KeyExpired {
                key: self.name.to_string(),
                expired,
            }),
            _ => Ok(()),
        }
    }

    /// Refuses what it is not for.
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

impl Used {
    fn time(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.since).as_nanos();
        u64::try_from(since).unwrap_or(u64::MAX)
    }
}

/// A request with a key. When it is dropped it is no longer under way.
#[derive(Debug)]
pub struct Visit {
    key: Arc<Key>,
    counted: bool,
    /// What it wants of streams, until that is checked.
    pub wants: Option<StreamUse>,
    /// The stream that it opens.
    opens: Option<OpenStream>,
}

/// The use that a request makes of streams that can be resumed.
#[derive(Debug, PartialEq, Eq)]
pub enum StreamUse {
    /// To open the one of this conversation.
    Opens(Box<[u8]>),
    /// To read or stop those that its query names.
    Resumes,
    /// To find those that its body names.
    LooksUp,
}

impl Visit {
    /// Begins a use of a key.
    pub fn new(key: Arc<Key>) -> Self {
        Self {
            key,
            counted: false,
            wants: None,
            opens: None,
        }
    }

    /// Holds the stream that it opens until it ends.
    pub fn opens(&mut self, stream: OpenStream) {
        self.opens = Some(stream);
    }

    /// Says how the answer ends, for a stream that it opens.
    pub fn ends(&mut self, end: StreamEnd) {
        if let Some(stream) = &mut self.opens {
            stream.ends(end);
        }
    }

    /// Returns the key.
    pub const fn key(&self) -> &Arc<Key> {
        &self.key
    }

    /// Goes on to a model, or is told which of the key's limits is reached.
    pub fn begin(&mut self, now: Instant) -> Result<(), ProxyError> {
        self.enter()?;
        let Key {
            requests,
            tokens,
            used,
            ..
        } = &*self.key;
        let now = used.time(now);
        let free = match tokens {
            Some(_) => used.tokens.owes(now).map_err(|wait| (Limit::Tokens, wait)),
            None => Ok(()),
        };
        let free = free.and_then(|()| match requests {
            Some(rate) => {
                let taken = used.requests.take_one(*rate, now);
                taken.map_err(|wait| (Limit::Requests, wait))
            }
            None => Ok(()),
        });
        free.map_err(|(limit, wait)| {
            self.leave();
            self.limited(limit, wait)
        })
    }

    /// Returns whether the key has a limit of tokens.
    pub fn pays_for_tokens(&self) -> bool {
        self.key.tokens.is_some()
    }

    /// It has used so many tokens.
    pub fn used(&self, tokens: u64, now: Instant) {
        if let Some(rate) = self.key.tokens
            && tokens > 0
        {
            let used = &self.key.used;
            used.tokens.debit(rate, tokens, used.time(now));
        }
    }

    /// Is under way from here on, where there is room for one more.
    fn enter(&mut self) -> Result<(), ProxyError> {
        let most = self.key.max_concurrent.map_or(u32::MAX, NonZeroU32::get);
        let more = |under_way: u32| (under_way < most).then(|| under_way + 1);
        let under_way = &self.key.used.under_way;
        match under_way.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more) {
            Ok(_) => {
                self.counted = true;
                Ok(())
            }
            Err(_) => Err(self.limited(Limit::Concurrent, BUSY)),
        }
    }

    fn leave(&mut self) {
        if std::mem::take(&mut self.counted) {
            self.key.used.under_way.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn limited(&self, limit: Limit, wait: Duration) -> ProxyError {
        ProxyError::RateLimited {
            key: self.key.name.to_string(),
            limit,
            retry_after: wait.as_secs() + u64::from(wait.subsec_nanos() > 0),
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Limit {
    /// Its key in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Concurrent => "max_concurrent",
            Self::Requests => "requests_per_minute",
            Self::Tokens => "tokens_per_minute",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use paddock_config::KeyHash;

    fn config() -> ApiKey {
        ApiKey {
            name: "k".to_owned(),
            hash: KeyHash::of(b"s"),
            allow: vec![Scope::Inference],
            models: None,
            expires: None,
            max_concurrent: 0,
            requests_per_minute: 0,
            tokens_per_minute: 0,
        }
    }

    fn key(config: &ApiKey, before: Option<&Key>) -> Arc<Key> {
        let place = |name: &str| name.parse().ok().map(ModelId);
        Arc::new(Key::new(config, place, before))
    }

    fn told(begun: Result<(), ProxyError>) -> Option<(Limit, u64)> {
        match begun {
            Ok(()) => None,
            Err(ProxyError::RateLimited {
                limit, retry_after, ..
            }) => Some((limit, retry_after)),
            Err(other) => panic!("{other}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_are_under_way_at_once_and_an_end_makes_room() {
        let mut config = config();
        config.max_concurrent = 2;
        let key = key(&config, None);
        let begin = || {
            let mut visit = Visit::new(Arc::clone(&key));
            let begun = visit.begin(Instant::now());
            (visit, told(begun))
        };
        let (one, first) = begin();
        let (_two, second) = begin();
        assert_eq!((first, second), (None, None));
        assert_eq!(begin().1, Some((Limit::Concurrent, 1)));
        drop(one);
        assert_eq!(begin().1, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_request_is_not_under_way() {
        let mut config = config();
        (config.max_concurrent, config.requests_per_minute) = (2, 1);
        let key = key(&config, None);
        let mut one = Visit::new(Arc::clone(&key));
        assert_eq!(told(one.begin(Instant::now())), None);
        let mut two = Visit::new(Arc::clone(&key));
        for _ in 0..3 {
            let refused = told(two.begin(Instant::now()));
            assert_eq!(refused, Some((Limit::Requests, 60)));
        }
        assert_eq!(key.used.under_way.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_are_paid_for_afterwards() {
        let mut config = config();
        config.tokens_per_minute = 60;
        let key = key(&config, None);
        let mut visit = Visit::new(key);
        assert_eq!(told(visit.begin(Instant::now())), None);
        visit.used(90, Instant::now());
        assert_eq!(told(visit.begin(Instant::now())), Some((Limit::Tokens, 30)));
        tokio::time::advance(Duration::from_millis(29_001)).await;
        assert_eq!(told(visit.begin(Instant::now())), Some((Limit::Tokens, 1)));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(told(visit.begin(Instant::now())), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_used_counts_on_when_the_key_changes() {
        let mut config = config();
        config.requests_per_minute = 1;
        let before = key(&config, None);
        let mut visit = Visit::new(Arc::clone(&before));
        assert_eq!(told(visit.begin(Instant::now())), None);
        config.models = Some(vec!["7".to_owned(), "3".to_owned(), "gone".to_owned()]);
        let after = key(&config, Some(&before));
        let allowed: Vec<bool> = [3, 5, 7].map(|model| after.is_for(ModelId(model))).into();
        assert_eq!(allowed, [true, false, true]);
        let mut visit = Visit::new(after);
        assert_eq!(
            told(visit.begin(Instant::now())),
            Some((Limit::Requests, 60))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn threads_that_ask_at_once_get_no_more_than_there_is() {
        let mut config = config();
        (config.max_concurrent, config.requests_per_minute) = (5, 50);
        let key = key(&config, None);
        let now = Instant::now();
        let got = std::thread::scope(|scope| {
            let ask = || {
                let mut got = 0;
                for _ in 0..100 {
                    let mut visit = Visit::new(Arc::clone(&key));
                    let begun = visit.begin(now);
                    assert!(key.used.under_way.load(Ordering::Relaxed) <= 5);
                    got += u32::from(begun.is_ok());
                }
                got
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
            let got = threads.into_iter().map(|thread| thread.join().unwrap());
            got.sum::<u32>()
        });
        assert_eq!(got, 50);
        assert_eq!(key.used.under_way.load(Ordering::Relaxed), 0);
    }
}
