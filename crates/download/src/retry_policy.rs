//! Decides what happens after a failed request.

use std::time::Duration;

use http::StatusCode;

use crate::error::HttpError;

/// Failures in a row, without a byte between them, after which a transfer ends.
const MAX_FAILURES: u32 = 8;

/// Failures in a row after which a transfer ends that has not received a byte yet: a machine without a network learns
/// that soon.
const MAX_FAILURES_AT_START: u32 = 3;

/// First pause; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Longest pause that this client chooses.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// Longest pause that a server may ask for. The windows of the hub's rate limits have 5 minutes
/// (<https://huggingface.co/docs/hub/rate-limits>).
const MAX_RETRY_AFTER: Duration = Duration::from_mins(10);

/// A decision about a failed request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// The request is repeated after a pause.
    RetryAfter(Duration),
    /// The error is final.
    GiveUp,
}

/// Decides about a failure after `failures` earlier ones in a row. `is_begun` states whether the transfer has received
/// a byte.
///
/// 1. An answer that a repetition cannot change is final.
/// 2. Too many failures in a row are final.
/// 3. A server that asks for a pause gets it, within a bound.
/// 4. Otherwise pauses double.
pub(crate) fn decide(error: &HttpError, failures: u32, is_begun: bool) -> Decision {
    if !is_temporary(error) {
        return Decision::GiveUp;
    }
    let limit = match is_begun {
        true => MAX_FAILURES,
        false => MAX_FAILURES_AT_START,
    };
    let asked = match error {
        HttpError::Status(answer) => answer.retry_after,
        _ => None,
    };
    match asked {
        _ if failures >= limit => Decision::GiveUp,
        Some(pause) if pause > MAX_RETRY_AFTER => Decision::GiveUp,
        Some(pause) => Decision::RetryAfter(pause.max(FIRST_PAUSE)),
        None => Decision::RetryAfter(
            FIRST_PAUSE
                .saturating_mul(2_u32.saturating_pow(failures))
                .min(MAX_PAUSE),
        ),
    }
}

/// Returns true if the same request may succeed later.
fn is_temporary(error: &HttpError) -> bool {
    match error {
        HttpError::Connect { .. } | HttpError::Broken { .. } | HttpError::Stalled { .. } => true,
        HttpError::Status(answer) => {
            answer.status.is_server_error() && answer.status != StatusCode::NOT_IMPLEMENTED
                || matches!(
                    answer.status,
                    StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
                )
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::StatusError;

    fn status(status: u16, retry_after: Option<u64>) -> HttpError {
        HttpError::Status(Box::new(StatusError {
            url: String::new(),
            status: StatusCode::from_u16(status).unwrap(),
            message: None,
            code: None,
            retry_after: retry_after.map(Duration::from_secs),
        }))
    }

    fn broken() -> HttpError {
        let (host, cause) = (String::new(), String::new());
        HttpError::Broken { host, cause }
    }

    /// Returns the pause in milliseconds.
    fn pause(decision: Decision) -> Option<u128> {
        match decision {
            Decision::RetryAfter(pause) => Some(pause.as_millis()),
            Decision::GiveUp => None,
        }
    }

    #[test]
    fn answers_that_may_change_are_retried_and_others_are_final() {
        for (error, expected) in [
            (status(401, None), None),
            (status(403, None), None),
            (status(404, None), None),
            (status(416, None), None),
            (status(501, None), None),
            (status(408, None), Some(250)),
            (status(429, None), Some(250)),
            (status(429, Some(7)), Some(7_000)),
            (status(429, Some(0)), Some(250)),
            (status(429, Some(601)), None),
            (status(403, Some(7)), None),
            (status(500, None), Some(250)),
            (status(503, Some(2)), Some(2_000)),
            (broken(), Some(250)),
        ] {
            assert_eq!(pause(decide(&error, 0, true)), expected, "{error:?}");
        }
    }

    #[test]
    fn pauses_double_until_the_transfer_ends() {
        let pauses = |is_begun| {
            let decide = |failures| pause(decide(&broken(), failures, is_begun));
            (0..).map_while(decide).collect::<Vec<_>>()
        };
        assert_eq!(pauses(false), [250, 500, 1000]);
        assert_eq!(
            pauses(true),
            [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000]
        );
        assert_eq!(pause(decide(&status(503, Some(1)), 8, true)), None);
    }
}
