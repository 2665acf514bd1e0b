//! A limit by the minute: a bucket that holds what may be used in a minute, and fills up evenly.
//!
//! Its state is one number, the time at which it will be full: what it lacks until then is what it takes
//! that long to fill in. Times are nanoseconds since a moment that is the bucket's own.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const MINUTE: u64 = 60_000_000_000;

/// How much may be used in a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate(pub(super) NonZeroU32);

impl Rate {
    /// How long it takes to fill in so much.
    fn time_of(self, amount: u64) -> u64 {
        let time = u128::from(amount) * u128::from(MINUTE) / u128::from(self.0.get());
        u64::try_from(time).unwrap_or(u64::MAX)
    }
}

/// How long it will be until a bucket holds as much as takes `time` to fill in; nothing where it does now.
/// It is empty a minute before it is full.
fn wait(full_at: u64, now: u64, time: u64) -> Option<u64> {
    let lacks = full_at.saturating_sub(now).saturating_add(time);
    lacks.checked_sub(MINUTE).filter(|wait| *wait > 0)
}

/// When a bucket is full that has just lost what takes `time` to fill in.
fn without(full_at: u64, now: u64, time: u64) -> u64 {
    full_at.max(now).saturating_add(time)
}

/// A bucket that many threads use.
#[derive(Debug, Default)]
pub(super) struct Bucket(AtomicU64);

impl Bucket {
    /// Takes one out, or says how long it will be until there is one.
    pub(super) fn take_one(&self, rate: Rate, now: u64) -> Result<(), Duration> {
        let time = rate.time_of(1);
        let taken =
            self.0
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_at| {
                    match wait(full_at, now, time) {
                        Some(_) => None,
                        None => Some(without(full_at, now, time)),
                    }
                });
        taken.map(|_| ()).map_err(|full_at| {
            let wait = wait(full_at, now, time).unwrap_or_default();
            Duration::from_nanos(wait)
        })
    }

    /// Takes out what was used before it was known how much, whether it is there or not.
    pub(super) fn debit(&self, rate: Rate, amount: u64, now: u64) {
        let time = rate.time_of(amount);
        let owes = |full_at| Some(without(full_at, now, time));
        // It never says no.
        let _ = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, owes);
    }

    /// How long it will be until what was used is filled in again, where more was used than there was.
    pub(super) fn owes(&self, now: u64) -> Result<(), Duration> {
        match wait(self.0.load(Ordering::Relaxed), now, 0) {
            Some(wait) => Err(Duration::from_nanos(wait)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn rate(per_minute: u32) -> Rate {
        Rate(NonZeroU32::new(per_minute).unwrap())
    }

    #[test]
    fn a_minutes_worth_may_be_used_at_once_and_then_evenly() {
        for per_minute in [1, 7, 60, 1000] {
            let bucket = Bucket::default();
            let start = 5 * SECOND;
            for _ in 0..per_minute {
                assert_eq!(bucket.take_one(rate(per_minute), start), Ok(()));
            }
            let wait = bucket.take_one(rate(per_minute), start).unwrap_err();
            let wait = u64::try_from(wait.as_nanos()).unwrap();
            assert!(
                wait <= MINUTE / u64::from(per_minute),
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
        let bucket = Bucket::default();
        assert!(bucket.take_one(rate(1), 0).is_ok());
        for _ in 0..100 {
            assert!(bucket.take_one(rate(1), 0).is_err());
        }
        assert!(bucket.take_one(rate(1), MINUTE).is_ok());
    }

    #[test]
    fn what_was_used_beyond_the_limit_has_to_fill_in_first() {
        let bucket = Bucket::default();
        bucket.debit(rate(600), 600, SECOND);
        assert_eq!(bucket.owes(SECOND), Ok(()), "it is empty, and owes nothing");
        bucket.debit(rate(600), 25, SECOND);
        assert_eq!(bucket.owes(SECOND), Err(Duration::from_millis(2500)));
        assert_eq!(bucket.owes(2 * SECOND), Err(Duration::from_millis(1500)));
        assert_eq!(bucket.owes(4 * SECOND), Ok(()));
    }

    #[test]
    fn numbers_that_cannot_be_overflow_nothing() {
        let bucket = Bucket::default();
        bucket.debit(rate(1), u64::MAX, u64::MAX);
        bucket.debit(rate(1), u64::MAX, 0);
        assert!(bucket.owes(0).is_err());
        assert!(bucket.take_one(rate(u32::MAX), 0).is_err());
    }

    #[test]
    fn time_that_goes_back_gives_nothing_twice() {
        let bucket = Bucket::default();
        assert!(bucket.take_one(rate(1), 10 * SECOND).is_ok());
        assert!(bucket.take_one(rate(1), 0).is_err());
    }
}
