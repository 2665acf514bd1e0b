//! Whether a batch is posted again, and when.

use super::post::{Answer, PostError};
use axum::http::StatusCode;
use std::time::Duration;

/// How long a batch is posted again and again.
const EXPIRES: Duration = Duration::from_hours(1);

/// The first pause, and the longest: each is twice the one before.
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_mins(1);

/// The longest pause that the receiver may ask for.
const MOST_ASKED: Duration = Duration::from_mins(10);

/// What comes of a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The receiver has it.
    Taken,
    /// It may be taken another time; the receiver may have asked for some.
    Again { asked: Option<Duration> },
    /// The receiver does not want it.
    Refused,
    /// It may be taken another time, and has had its time.
    Expired,
}

/// Judges a post of a batch that was posted first so long ago.
pub(super) fn verdict(posted: &Result<Answer, PostError>, age: Duration) -> Verdict {
    let again = |asked| match age < EXPIRES {
        true => Verdict::Again { asked },
        false => Verdict::Expired,
    };
    match posted {
        Err(_) => again(None),
        Ok(answer) => match answer.status {
            status if status.is_success() => Verdict::Taken,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => again(answer.asked),
            status if status.is_server_error() => again(answer.asked),
            _ => Verdict::Refused,
        },
    }
}

/// How long to wait after so many failures in a row; `random` is from 0 to 1, and keeps those apart that
/// failed together.
pub(super) fn pause(failures: u32, asked: Option<Duration>, random: f64) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let whole = (FIRST * 2_u32.pow(doublings)).min(LONGEST);
    let jittered = whole.mul_f64(0.5 + random / 2.0);
    jittered.max(asked.unwrap_or_default().min(MOST_ASKED))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, asked: Option<Duration>) -> Verdict {
        let status = StatusCode::from_u16(status).unwrap();
        verdict(&Ok(Answer { status, asked }), Duration::ZERO)
    }

    #[test]
    fn what_may_help_is_tried_again_and_nothing_else() {
        for status in [200, 201, 202, 204] {
            assert_eq!(of(status, None), Verdict::Taken, "{status}");
        }
        let asked = Some(Duration::from_secs(7));
        for status in [408, 429, 500, 502, 503, 504, 599] {
            assert_eq!(of(status, asked), Verdict::Again { asked }, "{status}");
        }
        for status in [300, 301, 308, 400, 401, 403, 404, 409, 413, 422] {
            assert_eq!(of(status, asked), Verdict::Refused, "{status}");
        }
        let late = Err(PostError::Late);
        assert_eq!(
            verdict(&late, Duration::ZERO),
            Verdict::Again { asked: None }
        );
    }

    #[test]
    fn a_batch_has_its_time() {
        let late = Err(PostError::Late);
        let before = EXPIRES.mul_f64(0.99);
        assert_eq!(verdict(&late, before), Verdict::Again { asked: None });
        assert_eq!(verdict(&late, EXPIRES), Verdict::Expired);
        let refused = Ok(Answer {
            status: StatusCode::NOT_FOUND,
            asked: None,
        });
        assert_eq!(verdict(&refused, EXPIRES), Verdict::Refused);
    }

    #[test]
    fn pauses_double_within_bounds_and_are_no_two_alike() {
        let milliseconds = |failures, random| pause(failures, None, random).as_millis();
        let whole: Vec<u128> = (1..10)
            .map(|failures| milliseconds(failures, 1.0))
            .collect();
        assert_eq!(
            whole,
            [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]
        );
        assert_eq!((milliseconds(1, 0.0), milliseconds(1, 0.5)), (250, 375));
        assert_eq!(pause(u32::MAX, None, 1.0), LONGEST);
    }

    #[test]
    fn the_receiver_may_ask_for_a_longer_pause_within_reason() {
        let asked = |seconds| pause(1, Some(Duration::from_secs(seconds)), 1.0);
        assert_eq!(asked(0), FIRST);
        assert_eq!(asked(7), Duration::from_secs(7));
        assert_eq!(asked(u64::MAX), MOST_ASKED);
    }
}
