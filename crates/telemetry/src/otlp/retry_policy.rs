//! Decides whether a delivery is tried again, and when.

use crate::http_client::Backoff;
use std::time::Duration;

/// Backoff between attempts.
const RETRY_BACKOFF: Backoff = Backoff {
    initial: Duration::from_secs(1),
    max: Duration::from_secs(30),
};

/// Time limit of all attempts; after that, newer data would exceed the queue.
pub(super) const MAX_RETRY_TIME: Duration = Duration::from_mins(1);

/// Outcome of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    /// No answer came.
    NoAnswer,
    /// Status of the answer, and the time in `Retry-After`.
    Status(u16, Option<Duration>),
}

/// Reaction to an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RetryDecision {
    /// The collector accepted the data.
    Done,
    /// The data is sent again after this time.
    RetryAfter(Duration),
    /// The data is dropped.
    GiveUp,
}

/// Decides how to react to an attempt, after `tries` earlier ones and `elapsed` time. `chance`, from 0 to 1,
/// spreads senders that wait for the same collector.
pub(super) fn decide_retry(
    attempt: Attempt,
    tries: u32,
    elapsed: Duration,
    chance: f64,
) -> RetryDecision {
    let wait = match attempt {
        Attempt::Status(200..=299, _) => return RetryDecision::Done,
        // Retryable statuses according to the OTLP specification, "Failures".
        Attempt::Status(429 | 502 | 503 | 504, Some(wait)) => wait,
        Attempt::Status(429 | 502 | 503 | 504, None) | Attempt::NoAnswer => {
            RETRY_BACKOFF.pause_after(tries, chance)
        }
        Attempt::Status(..) => return RetryDecision::GiveUp,
    };
    if elapsed.saturating_add(wait) > MAX_RETRY_TIME {
        return RetryDecision::GiveUp;
    }
    RetryDecision::RetryAfter(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_is_taken_is_done_and_what_is_refused_is_dropped() {
        for (status, expected) in [
            (200, RetryDecision::Done),
            (202, RetryDecision::Done),
            (204, RetryDecision::Done),
            (301, RetryDecision::GiveUp),
            (400, RetryDecision::GiveUp),
            (401, RetryDecision::GiveUp),
            (404, RetryDecision::GiveUp),
            (408, RetryDecision::GiveUp),
            (413, RetryDecision::GiveUp),
            (415, RetryDecision::GiveUp),
            (500, RetryDecision::GiveUp),
            (501, RetryDecision::GiveUp),
            (0, RetryDecision::GiveUp),
            (429, RetryDecision::RetryAfter(SECOND)),
            (502, RetryDecision::RetryAfter(SECOND)),
            (503, RetryDecision::RetryAfter(SECOND)),
            (504, RetryDecision::RetryAfter(SECOND)),
        ] {
            let attempt = Attempt::Status(status, None);
            assert_eq!(
                decide_retry(attempt, 0, Duration::ZERO, 1.0),
                expected,
                "{status}"
            );
            let told = Some(7 * SECOND);
            let expected = match expected {
                RetryDecision::RetryAfter(_) => RetryDecision::RetryAfter(7 * SECOND),
                other => other,
            };
            let attempt = Attempt::Status(status, told);
            assert_eq!(
                decide_retry(attempt, 3, Duration::ZERO, 0.5),
                expected,
                "{status}"
            );
        }
    }

    #[test]
    fn waits_begin_with_a_second_and_end_with_half_a_minute() {
        for (tries, seconds) in [(0, 1), (1, 2), (5, 30), (6, 30)] {
            let expected = RetryDecision::RetryAfter(seconds * SECOND);
            assert_eq!(
                decide_retry(Attempt::NoAnswer, tries, Duration::ZERO, 1.0),
                expected
            );
        }
    }

    #[test]
    fn nothing_is_tried_for_longer_than_the_limit() {
        let elapsed = MAX_RETRY_TIME.saturating_sub(SECOND);
        let again = decide_retry(Attempt::NoAnswer, 0, elapsed, 1.0);
        assert_eq!(again, RetryDecision::RetryAfter(SECOND));
        assert_eq!(
            decide_retry(Attempt::NoAnswer, 1, elapsed, 1.0),
            RetryDecision::GiveUp
        );
        for told in [2 * SECOND, Duration::MAX] {
            let attempt = Attempt::Status(429, Some(told));
            assert_eq!(
                decide_retry(attempt, 0, elapsed, 1.0),
                RetryDecision::GiveUp
            );
        }
    }
}
