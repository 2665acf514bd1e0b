//! The use of an API key by one request: charges the request to the key's limits, and holds the resumable stream that
//! the request opens (a response that llama-server continues after the client leaves).

use super::key::{Key, KeyLimit};
use super::stream_owners::{OpenStream, StreamEnd};
use crate::error::ProxyError;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

/// `Retry-After` if `max_concurrent` is reached: the end of the requests in flight cannot be predicted.
const CONCURRENCY_RETRY_AFTER: Duration = Duration::from_secs(1);

/// The use of a key by one request. Dropping it ends the request's share of `max_concurrent`.
#[derive(Debug)]
pub struct KeyUse {
    key: Arc<Key>,
    /// The request is counted as in flight.
    counted: bool,
    /// Use of a resumable stream that is not checked yet.
    pub stream_use: Option<StreamUse>,
    /// The stream that the request opens.
    stream: Option<OpenStream>,
}

/// The use that a request makes of resumable streams.
#[derive(Debug, PartialEq, Eq)]
pub enum StreamUse {
    /// Opens the stream of this conversation.
    Open(Box<[u8]>),
    /// Reads or stops the streams that the query names.
    Resume,
    /// Finds the streams that the body names.
    Lookup,
}

impl KeyUse {
    /// Creates the use of a key; [`Self::begin`] counts it.
    pub fn new(key: Arc<Key>) -> Self {
        Self {
            key,
            counted: false,
            stream_use: None,
            stream: None,
        }
    }

    /// Holds the stream that the request opens until the request ends.
    pub fn set_stream(&mut self, stream: OpenStream) {
        self.stream = Some(stream);
    }

    /// Sets how the response ended, for the stream that the request opened.
    pub fn set_end(&mut self, end: StreamEnd) {
        if let Some(stream) = &mut self.stream {
            stream.set_end(end);
        }
    }

    /// Returns the key.
    pub const fn key(&self) -> &Arc<Key> {
        &self.key
    }

    /// Counts the request against the key's limits, or returns an error that names the limit that is reached.
    pub fn begin(&mut self, now: Instant) -> Result<(), ProxyError> {
        self.enter()?;
        let Key {
            requests,
            tokens,
            usage,
            ..
        } = &*self.key;
        let now = usage.nanos_at(now);
        let free = match tokens {
            Some(_) => usage
                .tokens
                .check_debt(now)
                .map_err(|wait| (KeyLimit::Tokens, wait)),
            None => Ok(()),
        };
        let free = free.and_then(|()| match requests {
            Some(rate) => {
                let taken = usage.requests.take_one(*rate, now);
                taken.map_err(|wait| (KeyLimit::Requests, wait))
            }
            None => Ok(()),
        });
        free.map_err(|(limit, wait)| {
            self.leave();
            self.rate_limited(limit, wait)
        })
    }

    /// Returns whether the key has a token limit.
    pub fn has_token_limit(&self) -> bool {
        self.key.tokens.is_some()
    }

    /// Charges `tokens` to the key's token limit.
    pub fn debit_tokens(&self, tokens: u64, now: Instant) {
        if let Some(rate) = self.key.tokens
            && tokens > 0
        {
            let usage = &self.key.usage;
            usage.tokens.debit(rate, tokens, usage.nanos_at(now));
        }
    }

    /// Counts the request as in flight, unless `max_concurrent` is reached.
    fn enter(&mut self) -> Result<(), ProxyError> {
        let max = self.key.max_concurrent.map_or(u32::MAX, NonZeroU32::get);
        let more = |in_flight: u32| (in_flight < max).then(|| in_flight + 1);
        let in_flight = &self.key.usage.in_flight;
        match in_flight.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more) {
            Ok(_) => {
                self.counted = true;
                Ok(())
            }
            Err(_) => Err(self.rate_limited(KeyLimit::Concurrent, CONCURRENCY_RETRY_AFTER)),
        }
    }

    fn leave(&mut self) {
        if std::mem::take(&mut self.counted) {
            self.key.usage.in_flight.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn rate_limited(&self, limit: KeyLimit, wait: Duration) -> ProxyError {
        ProxyError::RateLimited {
            key: self.key.name.to_string(),
            limit,
            retry_after: wait.as_secs() + u64::from(wait.subsec_nanos() > 0),
        }
    }
}

impl Drop for KeyUse {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use paddock_config::{ApiKey, KeyHash, Scope};
    use paddock_scheduler::ModelId;

    fn config() -> ApiKey {
        ApiKey {
            name: "k".to_owned(),
            hash: KeyHash::from_secret(b"s"),
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

    fn limit_reached(begun: Result<(), ProxyError>) -> Option<(KeyLimit, u64)> {
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
            let mut key_use = KeyUse::new(Arc::clone(&key));
            let begun = key_use.begin(Instant::now());
            (key_use, limit_reached(begun))
        };
        let (one, first) = begin();
        let (_two, second) = begin();
        assert_eq!((first, second), (None, None));
        assert_eq!(begin().1, Some((KeyLimit::Concurrent, 1)));
        drop(one);
        assert_eq!(begin().1, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_request_is_not_under_way() {
        let mut config = config();
        (config.max_concurrent, config.requests_per_minute) = (2, 1);
        let key = key(&config, None);
        let mut one = KeyUse::new(Arc::clone(&key));
        assert_eq!(limit_reached(one.begin(Instant::now())), None);
        let mut two = KeyUse::new(Arc::clone(&key));
        for _ in 0..3 {
            let refused = limit_reached(two.begin(Instant::now()));
            assert_eq!(refused, Some((KeyLimit::Requests, 60)));
        }
        assert_eq!(key.usage.in_flight.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_are_paid_for_afterwards() {
        let mut config = config();
        config.tokens_per_minute = 60;
        let key = key(&config, None);
        let mut key_use = KeyUse::new(key);
        assert_eq!(limit_reached(key_use.begin(Instant::now())), None);
        key_use.debit_tokens(90, Instant::now());
        assert_eq!(
            limit_reached(key_use.begin(Instant::now())),
            Some((KeyLimit::Tokens, 30))
        );
        tokio::time::advance(Duration::from_millis(29_001)).await;
        assert_eq!(
            limit_reached(key_use.begin(Instant::now())),
            Some((KeyLimit::Tokens, 1))
        );
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(limit_reached(key_use.begin(Instant::now())), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_used_counts_on_when_the_key_changes() {
        let mut config = config();
        config.requests_per_minute = 1;
        let before = key(&config, None);
        let mut key_use = KeyUse::new(Arc::clone(&before));
        assert_eq!(limit_reached(key_use.begin(Instant::now())), None);
        config.models = Some(vec!["7".to_owned(), "3".to_owned(), "gone".to_owned()]);
        let after = key(&config, Some(&before));
        let allowed: Vec<bool> = [3, 5, 7].map(|model| after.is_for(ModelId(model))).into();
        assert_eq!(allowed, [true, false, true]);
        let mut key_use = KeyUse::new(after);
        assert_eq!(
            limit_reached(key_use.begin(Instant::now())),
            Some((KeyLimit::Requests, 60))
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
                    let mut key_use = KeyUse::new(Arc::clone(&key));
                    let begun = key_use.begin(now);
                    assert!(key.usage.in_flight.load(Ordering::Relaxed) <= 5);
                    got += u32::from(begun.is_ok());
                }
                got
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
            let got = threads.into_iter().map(|thread| thread.join().unwrap());
            got.sum::<u32>()
        });
        assert_eq!(got, 50);
        assert_eq!(key.usage.in_flight.load(Ordering::Relaxed), 0);
    }
}
