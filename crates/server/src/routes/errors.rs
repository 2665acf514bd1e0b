//! Builds error responses in the JSON format of `OpenAI`'s API.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use paddock_admission::error::{Dialect, LoadFailure, ProxyError, unix_seconds};
use paddock_api::{self as api, ErrorBody, ErrorDetails};

/// Returns the response for a refused request, with the status and the message of its error.
pub(super) fn refusal(error: &ProxyError) -> Response {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = [("x-paddock-error", error.kind())];
    (status, kind, Json(error.body(Dialect::OpenAi))).into_response()
}

/// Returns 400 for an invalid parameter.
pub(super) fn bad_query(parameter: &str, message: &str) -> Response {
    let mut body = error_body("bad_request", message);
    body.error.param = Some(parameter.to_owned());
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}

/// Returns an error of the admin plane itself.
pub(super) fn admin_error(status: StatusCode, code: &str, message: &str) -> Response {
    (status, Json(error_body(code, message))).into_response()
}

/// Returns a body with paddock's error code and a message for people.
fn error_body(code: &str, message: &str) -> ErrorBody {
    ErrorBody {
        error: ErrorDetails {
            code: code.to_owned(),
            failure: None,
            message: message.to_owned(),
            param: None,
            class: "invalid_request_error".to_owned(),
        },
    }
}

/// Converts the failure of a load to the admin API's type.
pub(super) fn failure_to_api(failure: &LoadFailure) -> api::LoadFailure {
    let cause = &failure.cause;
    api::LoadFailure {
        class: cause.class.to_string(),
        exit: cause.exit.map(|exit| exit.to_string()),
        log_tail: cause.log_tail.clone(),
        message: cause.message.clone(),
        phase: cause.phase.to_string(),
        restarts_left: failure.restarts_left,
        retry_at: failure.retry_at.map(unix_seconds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use paddock_supervisor::{ChildPhase, Exit, Failure, FailureClass};
    use std::sync::Arc;
    use std::time::{Duration, UNIX_EPOCH};

    fn failure(exit: Option<Exit>, retry_at: Option<u64>) -> LoadFailure {
        LoadFailure {
            cause: Arc::new(Failure {
                class: FailureClass::OutOfMemory,
                phase: ChildPhase::Starting,
                exit,
                message: "it is full".to_owned(),
                log_tail: vec!["a".to_owned(), "b".to_owned()],
            }),
            retry_at: retry_at.map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds)),
            restarts_left: 3,
        }
    }

    #[test]
    fn a_failure_is_the_same_in_errors_and_in_the_admin_api() {
        for failure in [failure(Some(Exit::Code(1)), Some(7)), failure(None, None)] {
            let shown = failure_to_api(&failure);
            let expected = paddock_admission::error::failure_json(&failure);
            assert_eq!(serde_json::to_value(&shown).unwrap(), expected);
        }
    }

    #[test]
    fn a_proxy_error_is_an_error_of_the_admin_api() {
        let error = ProxyError::LoadFailed {
            model: "m".to_owned(),
            failure: failure(None, Some(7)),
            retry_after: Some(1),
        };
        let body = error.body(Dialect::OpenAi);
        let read: ErrorBody = serde_json::from_value(body.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), body);
    }
}
