use crate::outgoing::Backoff;
use std::time::Duration;

/// The waits before another try.
const WAITS: Backoff = Backoff {
    first: Duration::from_secs(1),
    longest: Duration::from_secs(30),
};

/// How long something is tried at most: by then there is more to send than can be kept.
pub(super) const LIMIT: Duration = Duration::from_mins(1);

/// What became of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tried {
    /// Nobody answered.
    Silence,
    /// This status came, with the time that `Retry-After` says.
    Status(u16, Option<Duration>),
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// It was taken.
    Done,
    /// It is sent again after this time.
    Again(Duration),
    /// It is dropped.
    Never,
}

/// Decides what follows a try, the `tries` before it having taken `so_far`. `chance`, between 0 and 1,
/// spreads those who wait for the same collector.
pub(super) fn then(tried: Tried, tries: u32, so_far: Duration, chance: f64) -> Then {
    let wait = match tried {
        Tried::Status(200..=299, _) => return Then::Done,
        // The statuses that OTLP says to try again (its specification, "Failures").
        Tried::Status(429 | 502 | 503 | 504, Some(wait)) => wait,
        Tried::Status(429 | 502 | 503 | 504, None) | Tried::Silence => WAITS.pause(tries, chance),
        Tried::Status(..) => return Then::Never,
    };
    if so_far.saturating_add(wait) > LIMIT {
        return Then::Never;
    }
    Then::Again(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_is_taken_is_done_and_what_is_refused_is_dropped() {
        for (status, expected) in [
            (200, Then::Done),
            (202, Then::Done),
            (204, Then::Done),
            (301, Then::Never),
            (400, Then::Never),
            (401, Then::Never),
            (404, Then::Never),
            (408, Then::Never),
            (413, Then::Never),
            (415, Then::Never),
            (500, Then::Never),
            (501, Then::Never),
            (0, Then::Never),
            (429, Then::Again(SECOND)),
            (502, Then::Again(SECOND)),
            (503, Then::Again(SECOND)),
            (504, Then::Again(SECOND)),
        ] {
            let tried = Tried::Status(status, None);
            assert_eq!(then(tried, 0, Duration::ZERO, 1.0), expected, "{status}");
            let told = Some(7 * SECOND);
            let expected = match expected {
                Then::Again(_) => Then::Again(7 * SECOND),
                other => other,
            };
            let tried = Tried::Status(status, told);
            assert_eq!(then(tried, 3, Duration::ZERO, 0.5), expected, "{status}");
        }
    }

    #[test]
    fn waits_begin_with_a_second_and_end_with_half_a_minute() {
        for (tries, seconds) in [(0, 1), (1, 2), (5, 30), (6, 30)] {
            let expected = Then::Again(seconds * SECOND);
            assert_eq!(then(Tried::Silence, tries, Duration::ZERO, 1.0), expected);
        }
    }

    #[test]
    fn nothing_is_tried_for_longer_than_the_limit() {
        let so_far = LIMIT.saturating_sub(SECOND);
        let again = then(Tried::Silence, 0, so_far, 1.0);
        assert_eq!(again, Then::Again(SECOND));
        assert_eq!(then(Tried::Silence, 1, so_far, 1.0), Then::Never);
        for told in [2 * SECOND, Duration::MAX] {
            let tried = Tried::Status(429, Some(told));
            assert_eq!(then(tried, 0, so_far, 1.0), Then::Never);
        }
    }
}
