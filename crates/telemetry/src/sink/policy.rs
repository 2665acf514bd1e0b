//! Whether a batch is posted again, and when.

use super::post::PostError;
use crate::outgoing::{Answer, Backoff};
use http::StatusCode;
use std::time::Duration;

/// How long a batch is posted again and again.
const EXPIRES: Duration = Duration::from_hours(1);

/// The pauses between posts.
const PAUSES: Backoff = Backoff {
    first: Duration::from_millis(500),
    longest: Duration::from_mins(1),
};

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
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
                again(answer.retry_after)
            }
            status if status.is_server_error() => again(answer.retry_after),
            _ => Verdict::Refused,
        },
    }
}

/// How long to wait after so many pauses; `chance` is from 0 to 1.
pub(super) fn pause(pauses: u32, asked: Option<Duration>, chance: f64) -> Duration {
    let asked = asked.unwrap_or_default().min(MOST_ASKED);
    PAUSES.pause(pauses, chance).max(asked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outgoing::Silent;
    use axum::body::Bytes;

    fn answered(status: u16, retry_after: Option<Duration>) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after,
            body: Bytes::new(),
        }
    }

    fn of(status: u16, retry_after: Option<Duration>) -> Verdict {
        verdict(&Ok(answered(status, retry_after)), Duration::ZERO)
    }

    fn late() -> Result<Answer, PostError> {
        Err(Silent::Late(Duration::ZERO).into())
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
        let none = Verdict::Again { asked: None };
        assert_eq!(verdict(&late(), Duration::ZERO), none);
    }

    #[test]
    fn a_batch_has_its_time() {
        let before = EXPIRES.mul_f64(0.99);
        assert_eq!(verdict(&late(), before), Verdict::Again { asked: None });
        assert_eq!(verdict(&late(), EXPIRES), Verdict::Expired);
        assert_eq!(verdict(&Ok(answered(404, None)), EXPIRES), Verdict::Refused);
    }

    #[test]
    fn the_receiver_may_ask_for_a_longer_pause_within_reason() {
        let asked = |seconds| pause(0, Some(Duration::from_secs(seconds)), 1.0);
        assert_eq!(asked(0), PAUSES.first);
        assert_eq!(asked(7), Duration::from_secs(7));
        assert_eq!(asked(u64::MAX), MOST_ASKED);
    }
}
