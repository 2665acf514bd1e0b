//! A limit per minute: a token bucket that holds one minute's worth and refills evenly.
//!
//! The state of a bucket is one number, the time at which the bucket will be full; the missing amount is the time until
//! then multiplied by the rate. The functions therefore take an amount as the time in which it refills. Times are
//! nanoseconds since an epoch that the bucket's owner chooses.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Time in which an empty bucket becomes full, in nanoseconds.
const MINUTE_NANOS: u64 = 60_000_000_000;

/// Amount that may be used per minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RatePerMinute(pub(super) NonZeroU32);

impl RatePerMinute {
    /// Returns the time in which `amount` refills.
    fn fill_time(self, amount: u64) -> u64 {
        let time = u128::from(amount) * u128::from(MINUTE_NANOS) / u128::from(self.0.get());
        u64::try_from(time).unwrap_or(u64::MAX)
    }
}

/// Returns the time until a bucket holds the amount that refills in `time`; `None` if it already does.
/// A bucket is empty one minute before it is full.
fn wait_until_filled(full_at: u64, now: u64, time: u64) -> Option<u64> {
    let lacks = full_at.saturating_sub(now).saturating_add(time);
    lacks.checked_sub(MINUTE_NANOS).filter(|wait| *wait > 0)
}

/// Returns the time at which a bucket is full after losing the amount that refills in `time`.
fn full_at_after(full_at: u64, now: u64, time: u64) -> u64 {
    full_at.max(now).saturating_add(time)
}

/// A token bucket shared by all threads.
#[derive(Debug, Default)]
pub(super) struct TokenBucket(AtomicU64);

impl TokenBucket {
    /// Takes one token, or returns the time until there is one.
    pub(super) fn take_one(&self, rate: RatePerMinute, now: u64) -> Result<(), Duration> {
        let time = rate.fill_time(1);
        let taken =
            self.0
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_at| {
                    match wait_until_filled(full_at, now, time) {
                        Some(_) => None,
                        None => Some(full_at_after(full_at, now, time)),
                    }
                });
        taken.map(|_| ()).map_err(|full_at| {
            let wait = wait_until_filled(full_at, now, time).unwrap_or_default();
            Duration::from_nanos(wait)
        })
    }

    /// Takes `amount` even if the bucket holds less: usage that is known only afterwards.
    pub(super) fn debit(&self, rate: RatePerMinute, amount: u64, now: u64) {
        let time = rate.fill_time(amount);
        let owes = |full_at| Some(full_at_after(full_at, now, time));
        // The closure always returns a value, so the update cannot fail.
        let _ = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, owes);
    }

    /// Returns an error with the time until the debt is refilled, if more was used than the bucket held.
    pub(super) fn check_debt(&self, now: u64) -> Result<(), Duration> {
        match wait_until_filled(self.0.load(Ordering::Relaxed), now, 0) {
            Some(wait) => Err(Duration::from_nanos(wait)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn rate(per_minute: u32) -> RatePerMinute {
        RatePerMinute(NonZeroU32::new(per_minute).unwrap())
    }

    #[test]
    fn a_minutes_worth_may_be_used_at_once_and_then_evenly() {
        for per_minute in [1, 7, 60, 1000] {
            let bucket = TokenBucket::default();
            let start = 5 * SECOND;
            for _ in 0..per_minute {
                assert_eq!(bucket.take_one(rate(per_minute), start), Ok(()));
            }
            let wait = bucket.take_one(rate(per_minute), start).unwrap_err();
            let wait = u64::try_from(wait.as_nanos()).unwrap();
            assert!(
                wait <= MINUTE_NANOS / u64::from(per_minute),
                "{per_minute}: {wait}"
            );
            let early = bucket.take_one(rate(per_minute), start + wait - 1);
            assert_eq!(early, Err(Duration::from_nanos(1)));
            assert_eq!(bucket.take_one(rate(per_minute), start + wait), Ok(()));
            assert!(bucket.take_one(rate(per_minute), start + wait).is_err());
        }
    }

    #[test]
    fn a_refusal_costs_nothing() {
        let bucket = TokenBucket::default();
        assert!(bucket.take_one(rate(1), 0).is_ok());
        for _ in 0..100 {
            assert!(bucket.take_one(rate(1), 0).is_err());
        }
        assert!(bucket.take_one(rate(1), MINUTE_NANOS).is_ok());
    }

    #[test]
    fn what_was_used_beyond_the_limit_has_to_fill_in_first() {
        let bucket = TokenBucket::default();
        bucket.debit(rate(600), 600, SECOND);
        assert_eq!(
            bucket.check_debt(SECOND),
            Ok(()),
            "it is empty, and owes nothing"
        );
        bucket.debit(rate(600), 25, SECOND);
        assert_eq!(bucket.check_debt(SECOND), Err(Duration::from_millis(2500)));
        assert_eq!(
            bucket.check_debt(2 * SECOND),
            Err(Duration::from_millis(1500))
        );
        assert_eq!(bucket.check_debt(4 * SECOND), Ok(()));
    }

    #[test]
    fn numbers_that_cannot_be_overflow_nothing() {
        let bucket = TokenBucket::default();
        bucket.debit(rate(1), u64::MAX, u64::MAX);
        bucket.debit(rate(1), u64::MAX, 0);
        assert!(bucket.check_debt(0).is_err());
        assert!(bucket.take_one(rate(u32::MAX), 0).is_err());
    }

    #[test]
    fn time_that_goes_back_gives_nothing_twice() {
        let bucket = TokenBucket::default();
        assert!(bucket.take_one(rate(1), 10 * SECOND).is_ok());
        assert!(bucket.take_one(rate(1), 0).is_err());
    }
}
