//! Turns an error into HTTP: status, kind, `Retry-After` and body.

use super::{Dialect, ProxyError, failure_json};
use serde_json::{Value, json};

impl ProxyError {
    /// Returns the HTTP status (RFC 9110 §15).
    pub fn status(&self) -> u16 {
        match self {
            Self::BadRequest(refusal) => refusal.status(),
            Self::Unroutable(reason) => reason.status(),
            Self::BadName(_) | Self::NoModel { .. } | Self::BadStream(_) => 400,
            Self::Unauthorized(_) | Self::KeyExpired { .. } => 401,
            Self::ForbiddenScope { .. } | Self::ForbiddenModel { .. } | Self::ForbiddenPage(_) => {
                403
            }
            Self::UnknownModel { .. } | Self::UnknownStream => 404,
            Self::ConversationTaken => 409,
            Self::RequestTimeout(_) | Self::TooSlow { .. } => 408,
            Self::BodyTooLarge { .. } => 413,
            Self::QueueFull { .. } | Self::TooMuchBuffered | Self::RateLimited { .. } => 429,
            Self::QueueTimeout { .. }
            | Self::NoRoom { .. }
            | Self::Loading { .. }
            | Self::Draining { .. }
            | Self::DoesNotFit { .. }
            | Self::OutOfMemory { .. }
            | Self::Cancelled
            | Self::LoadFailed { .. }
            | Self::NotLoaded { .. }
            | Self::TooManyConnections { .. }
            | Self::ShuttingDown => 503,
            Self::UpstreamUnreachable(_)
            | Self::UpstreamClosed(_)
            | Self::UpstreamExited(_)
            | Self::UpstreamHung(_)
            | Self::UpstreamMalformed(_)
            | Self::UpstreamNoStream(_) => 502,
            Self::SlotsReserved => 501,
            Self::UpstreamTimeout(_) => 504,
        }
    }

    /// Returns the machine-readable kind, as in the header `x-paddock-error`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::BadRequest(_) | Self::BadName(_) | Self::BadStream(_) => "bad_request",
            Self::NoModel { .. } => "no_model",
            Self::Unroutable(reason) => reason.kind(),
            Self::NotLoaded { .. } => "not_loaded",
            Self::Unauthorized(_) | Self::KeyExpired { .. } => "unauthorized",
            Self::ForbiddenScope { .. } | Self::ForbiddenModel { .. } => "forbidden",
            Self::ForbiddenPage(_) => "forbidden_origin",
            Self::RateLimited { .. } => "rate_limited",
            Self::RequestTimeout(_) | Self::TooSlow { .. } => "request_timeout",
            Self::BodyTooLarge { .. } => "body_too_large",
            Self::UnknownModel { .. } => "unknown_model",
            Self::UnknownStream => "unknown_stream",
            Self::ConversationTaken => "conversation_taken",
            Self::QueueFull { .. } | Self::TooMuchBuffered => "queue_full",
            Self::QueueTimeout { .. } | Self::NoRoom { .. } => "queue_timeout",
            Self::Draining { .. } => "draining",
            Self::DoesNotFit { .. } => "does_not_fit",
            Self::Cancelled => "cancelled",
            Self::TooManyConnections { .. } => "too_many_connections",
            Self::Loading { .. } => "loading",
            Self::LoadFailed { .. } | Self::OutOfMemory { .. } => "load_failed",
            Self::SlotsReserved => "slots_reserved",
            Self::ShuttingDown => "shutting_down",
            Self::UpstreamUnreachable(_) => "upstream_unreachable",
            Self::UpstreamClosed(_)
            | Self::UpstreamExited(_)
            | Self::UpstreamHung(_)
            | Self::UpstreamMalformed(_)
            | Self::UpstreamNoStream(_) => "upstream_closed",
            Self::UpstreamTimeout(_) => "upstream_timeout",
        }
    }

    /// Returns the number of seconds for `Retry-After`, if a retry can succeed.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::QueueFull { retry_after, .. }
            | Self::QueueTimeout { retry_after, .. }
            | Self::Loading { retry_after, .. }
            | Self::NoRoom { retry_after, .. }
            | Self::Draining { retry_after, .. }
            | Self::OutOfMemory { retry_after, .. }
            | Self::LoadFailed { retry_after, .. } => *retry_after,
            Self::RateLimited { retry_after, .. } => Some(*retry_after),
            Self::TooMuchBuffered | Self::TooManyConnections { .. } => Some(1),
            Self::ShuttingDown => Some(5),
            _ => None,
        }
    }

    /// Returns the JSON body.
    pub fn body(&self, dialect: Dialect) -> Value {
        let message = self.to_string();
        if matches!(self, Self::SlotsReserved) {
            // The same body as that of a child without the route, so that clients treat the route as absent.
            let kind = "not_supported_error";
            return json!({ "error": { "code": 501, "message": message, "type": kind } });
        }
        let mut error = match dialect {
            Dialect::OpenAi => json!({
                "message": message,
                "type": self.openai_type(),
                "code": self.kind(),
                "param": null,
            }),
            Dialect::Anthropic => json!({
                "type": self.anthropic_type(),
                "message": message,
            }),
        };
        match self {
            Self::LoadFailed { failure, .. }
            | Self::OutOfMemory {
                failure: Some(failure),
                ..
            } => error["failure"] = failure_json(failure),
            _ => {}
        }
        match dialect {
            Dialect::OpenAi => json!({ "error": error }),
            Dialect::Anthropic => json!({ "type": "error", "error": error }),
        }
    }

    fn openai_type(&self) -> &'static str {
        match self.status() {
            429 => "rate_limit_error",
            400..=499 => "invalid_request_error",
            503 => "unavailable_error",
            _ => "server_error",
        }
    }

    fn anthropic_type(&self) -> &'static str {
        match self.status() {
            401 => "authentication_error",
            403 => "permission_error",
            404 => "not_found_error",
            413 => "request_too_large",
            429 => "rate_limit_error",
            400..=499 => "invalid_request_error",
            503 => "overloaded_error",
            _ => "api_error",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_dialects_name_kind_and_message() {
        let error = ProxyError::QueueFull {
            model: "m".into(),
            retry_after: Some(1),
        };
        let openai = error.body(Dialect::OpenAi);
        assert_eq!(openai["error"]["code"], "queue_full");
        assert_eq!(openai["error"]["type"], "rate_limit_error");
        assert!(openai["error"]["param"].is_null());
        let anthropic = error.body(Dialect::Anthropic);
        assert_eq!(anthropic["type"], "error");
        assert_eq!(anthropic["error"]["type"], "rate_limit_error");
        assert_eq!(openai["error"]["message"], anthropic["error"]["message"]);
    }
}
