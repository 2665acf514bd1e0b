//! Decides whether a batch is posted again, and when.

use super::post::PostError;
use crate::http_client::{Backoff, HttpAnswer};
use http::StatusCode;
use std::time::Duration;

/// Age at which a batch is dropped.
const MAX_BATCH_AGE: Duration = Duration::from_hours(1);

/// Backoff between posts.
const RETRY_BACKOFF: Backoff = Backoff {
    initial: Duration::from_millis(500),
    max: Duration::from_mins(1),
};

/// Maximum pause that the receiver may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_mins(10);

/// Outcome of a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PostVerdict {
    /// The receiver has accepted the batch.
    Accepted,
    /// The batch is posted again; the receiver may have asked for a pause.
    Retry { asked: Option<Duration> },
    /// The receiver rejects the batch.
    Rejected,
    /// The batch could be posted again, and is too old.
    Expired,
}

/// Judges a post of a batch of this age.
pub(super) fn judge_post(posted: &Result<HttpAnswer, PostError>, age: Duration) -> PostVerdict {
    let again = |asked| match age < MAX_BATCH_AGE {
        true => PostVerdict::Retry { asked },
        false => PostVerdict::Expired,
    };
    match posted {
        Err(_) => again(None),
        Ok(answer) => match answer.status {
            status if status.is_success() => PostVerdict::Accepted,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
                again(answer.retry_after)
            }
            status if status.is_server_error() => again(answer.retry_after),
            _ => PostVerdict::Rejected,
        },
    }
}

/// Returns the pause after `retries` earlier ones; `chance` is from 0 to 1.
pub(super) fn pause_after(retries: u32, asked: Option<Duration>, chance: f64) -> Duration {
    let asked = asked.unwrap_or_default().min(MAX_RETRY_AFTER);
    RETRY_BACKOFF.pause_after(retries, chance).max(asked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http_client::HttpClientError;
    use axum::body::Bytes;

    fn answered(status: u16, retry_after: Option<Duration>) -> HttpAnswer {
        HttpAnswer {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after,
            body: Bytes::new(),
        }
    }

    fn verdict_for(status: u16, retry_after: Option<Duration>) -> PostVerdict {
        judge_post(&Ok(answered(status, retry_after)), Duration::ZERO)
    }

    fn late() -> Result<HttpAnswer, PostError> {
        Err(HttpClientError::Timeout(Duration::ZERO).into())
    }

    #[test]
    fn what_may_help_is_tried_again_and_nothing_else() {
        for status in [200, 201, 202, 204] {
            assert_eq!(verdict_for(status, None), PostVerdict::Accepted, "{status}");
        }
        let asked = Some(Duration::from_secs(7));
        for status in [408, 429, 500, 502, 503, 504, 599] {
            assert_eq!(
                verdict_for(status, asked),
                PostVerdict::Retry { asked },
                "{status}"
            );
        }
        for status in [300, 301, 308, 400, 401, 403, 404, 409, 413, 422] {
            assert_eq!(
                verdict_for(status, asked),
                PostVerdict::Rejected,
                "{status}"
            );
        }
        let none = PostVerdict::Retry { asked: None };
        assert_eq!(judge_post(&late(), Duration::ZERO), none);
    }

    #[test]
    fn a_batch_has_its_time() {
        let before = MAX_BATCH_AGE.mul_f64(0.99);
        assert_eq!(
            judge_post(&late(), before),
            PostVerdict::Retry { asked: None }
        );
        assert_eq!(judge_post(&late(), MAX_BATCH_AGE), PostVerdict::Expired);
        assert_eq!(
            judge_post(&Ok(answered(404, None)), MAX_BATCH_AGE),
            PostVerdict::Rejected
        );
    }

    #[test]
    fn the_receiver_may_ask_for_a_longer_pause_within_reason() {
        let asked = |seconds| pause_after(0, Some(Duration::from_secs(seconds)), 1.0);
        assert_eq!(asked(0), RETRY_BACKOFF.initial);
        assert_eq!(asked(7), Duration::from_secs(7));
        assert_eq!(asked(u64::MAX), MAX_RETRY_AFTER);
    }
}
