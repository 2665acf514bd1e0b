//! The errors with which paddock itself answers a request, and their status, kind, headers and body.

mod load_failure;
mod unroutable;

pub use load_failure::LoadFailure;
pub use load_failure::{failure_json, unix_seconds};
pub use unroutable::Unroutable;

use crate::browser_policy::PageRefusal;
use crate::keys::KeyLimit;
use paddock_config::Expiry;
use paddock_wire as wire;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Reason why paddock answers a request itself.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProxyError {
    /// The client's request is malformed or ambiguous.
    #[error("paddock refuses this request: {0}")]
    BadRequest(#[from] wire::InvalidRequest),
    /// The client did not finish its request in time.
    #[error("the request did not arrive in time: nothing came for {} s", .0.as_secs())]
    RequestTimeout(Duration),
    /// The client sent or read below the minimum rate.
    #[error("the client {does} at less than {} KiB/s on average{}", .bytes_per_second / 1024, .because)]
    TooSlow {
        /// The slow act, such as `sent its request`.
        does: &'static str,
        /// The minimum.
        bytes_per_second: u32,
        /// Reason for the limit, appended to the message.
        because: &'static str,
    },
    /// The body is larger than the configuration allows.
    #[error(
        "the request body is larger than {limit} bytes; the operator can raise server.body_limit"
    )]
    BodyTooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// The request's model name is malformed.
    #[error("this request names no model that there could be: {0}")]
    BadName(&'static str),
    /// The request names no model, and there is no default.
    #[error(
        "this request does not say which model it is for: name it as `model` in the body, as \
         `?model=`, as `x-paddock-model`, or in the path as /upstream/MODEL/...; there are: {configured}"
    )]
    NoModel {
        /// Names of the configured models.
        configured: String,
    },
    /// The request goes to no model, and paddock does not answer it either.
    #[error(transparent)]
    Unroutable(Unroutable),
    /// The request neither loads its model nor counts as use, and the model is not loaded.
    #[error(
        "'{model}' is not loaded, and this request does not load it: health, metrics, slots and static files are          answered only while it is loaded; a chat or `paddock load {model}` loads it"
    )]
    NotLoaded {
        /// The model's name.
        model: String,
    },
    /// The request has no API key, or one that is not configured.
    #[error("{0}")]
    Unauthorized(&'static str),
    /// The request's API key has expired.
    #[error(
        "the API key '{key}' expired at {expired}; the operator can set a later `expires` under \
         [auth.keys.{key}], or make another key with `paddock key new NAME`"
    )]
    KeyExpired {
        /// The key's name.
        key: String,
        /// Time at which it expired.
        expired: Expiry,
    },
    /// The request's API key lacks the scope.
    #[error(
        "the API key '{key}' does not allow this: it wants {needs}, and the key allows {allows}; the operator \
         can add that to `allow` under [auth.keys.{key}]"
    )]
    ForbiddenScope {
        /// The key's name.
        key: String,
        /// The scopes of which one is required.
        needs: String,
        /// The scopes that the key has.
        allows: String,
    },
    /// The request's API key does not allow this model.
    #[error("the API key '{key}' is not for the model '{model}'; it is for: {allowed}")]
    ForbiddenModel {
        /// The key's name.
        key: String,
        /// The model's name.
        model: String,
        /// Names of the models that the key allows.
        allowed: String,
    },
    /// A web page that may not use models sends the request, or could be sending it.
    #[error(transparent)]
    ForbiddenPage(#[from] PageRefusal),
    /// The request for a resumable stream cannot be checked.
    #[error("paddock refuses this request: {0}")]
    BadStream(&'static str),
    /// The request's API key has opened no stream of this conversation.
    #[error(
        "this API key has opened no such stream here: it is over, or another key's; only the key that opened \
         a stream reads, stops and finds it"
    )]
    UnknownStream,
    /// Another API key has opened a stream of this conversation.
    #[error(
        "another API key uses this X-Conversation-Id with this model; send one of your own, such as a random UUID"
    )]
    ConversationTaken,
    /// The requests of an API key have reached one of its limits.
    #[error("the API key '{key}' has reached its `{}`; try again in {retry_after} s", .limit.as_str())]
    RateLimited {
        /// The key's name.
        key: String,
        /// The limit that was reached.
        limit: KeyLimit,
        /// Seconds until a retry can succeed, unless other requests come first.
        retry_after: u64,
    },
    /// Bodies of requests whose model is still unknown fill the memory reserved for them.
    #[error(
        "too many large requests that do not name their model at the start; send `x-paddock-model` \
         with this one, or try again in a moment"
    )]
    TooMuchBuffered,
    /// The maximum number of connections is open.
    #[error(
        "{} as many connections as there may be ({max}): close those that are not used; the operator can \
         raise `server.max_connections{}`",
        if *.per_address { "this address has" } else { "paddock has" },
        if *.per_address { "_per_address" } else { "` and the limit of open files, `LimitNOFILE" }
    )]
    TooManyConnections {
        /// The limit.
        max: usize,
        /// The limit is the one per client address.
        per_address: bool,
    },
    /// The request names a model that is not configured.
    #[error("there is no model '{name}' here; configured: {configured}")]
    UnknownModel {
        /// Name in the request.
        name: String,
        /// Names of the configured models.
        configured: String,
    },
    /// Too many requests wait already.
    #[error("too many requests are waiting for '{model}' already; try again in a moment")]
    QueueFull {
        /// The model's name.
        model: String,
        /// Seconds until a retry may succeed.
        retry_after: Option<u64>,
    },
    /// The request waited for a lease until the time limit.
    #[error("'{model}' stayed busy for as long as a request may wait")]
    QueueTimeout {
        /// The model's name.
        model: String,
        /// Seconds until a retry may succeed.
        retry_after: Option<u64>,
    },
    /// The model was still loading when the request's waiting time ended.
    #[error("'{model}' is still loading; try again in a moment")]
    Loading {
        /// The model's name.
        model: String,
        /// Seconds until a retry may succeed.
        retry_after: Option<u64>,
    },
    /// Other models used the memory until the request's waiting time ended.
    #[error(
        "'{model}' is not loaded, and other models were using the memory it needs for as long as a \
         request may wait"
    )]
    NoRoom {
        /// The model's name.
        model: String,
        /// Seconds until a retry may succeed.
        retry_after: Option<u64>,
    },
    /// The operator is unloading the model.
    #[error("'{model}' is being unloaded; it can be loaded again in a moment")]
    Draining {
        /// The model's name.
        model: String,
        /// Seconds until a retry may succeed.
        retry_after: Option<u64>,
    },
    /// The model needs more memory than can ever be free.
    #[error(
        "'{model}' does not fit: it needs {needs}, and there is {available} at most{}a shorter \
         context, another quantization or a larger [memory] budget helps",
        if *.pinned {
            " beside what is pinned; unpinning a model (`paddock unpin MODEL`), "
        } else {
            "; "
        }
    )]
    DoesNotFit {
        /// The model's name.
        model: String,
        /// Memory that the model needs.
        needs: String,
        /// Memory available, less that of pinned models.
        available: String,
        /// The model would fit without pinned models. Their names are not disclosed: a client's key may exclude them.
        pinned: bool,
    },
    /// The model ran out of memory although it was expected to fit.
    #[error(
        "'{model}' ran out of memory while loading: it was expected to need {needs}, of {free} that \
         were thought to be free, and no other model could make more room"
    )]
    OutOfMemory {
        /// The model's name.
        model: String,
        /// Memory that the model was expected to need.
        needs: String,
        /// Memory that was expected to be free.
        free: String,
        /// Failure of the child.
        failure: Option<LoadFailure>,
        /// Seconds until a retry may succeed.
        retry_after: Option<u64>,
    },
    /// The operator has ended the request.
    #[error("the operator has cancelled this request")]
    Cancelled,
    /// The model fails to load.
    #[error("'{model}' does not load: {}", .failure.cause.message)]
    LoadFailed {
        /// The model's name.
        model: String,
        /// Failure of the child.
        failure: LoadFailure,
        /// Seconds until a retry may succeed; `None` if waiting cannot help.
        retry_after: Option<u64>,
    },
    /// paddock is stopping.
    #[error("paddock is stopping; try again when it is back")]
    ShuttingDown,
    /// The child cannot be reached.
    #[error("the model's server cannot be reached: {0}")]
    UpstreamUnreachable(String),
    /// The child closed the connection before or during its response.
    #[error("the model's server closed the connection {0}")]
    UpstreamClosed(&'static str),
    /// The child exited before it had answered.
    #[error("the model's server exited before it answered: {0}")]
    UpstreamExited(Arc<str>),
    /// The child hung and was killed.
    #[error("the model's server hung: {0}")]
    UpstreamHung(Arc<str>),
    /// The child's response is not HTTP that can be forwarded.
    #[error("the model's server gave an answer that cannot be passed on: {0}")]
    UpstreamMalformed(#[from] wire::InvalidResponse),
    /// The child's response is not the event stream that paddock has announced to the client.
    #[error("the model's server answered with status {0} and no event stream")]
    UpstreamNoStream(u16),
    /// The child sent nothing until the time limit.
    #[error("the model's server said nothing for {} s", .0.as_secs())]
    UpstreamTimeout(Duration),
}

impl From<wire::InvalidModelName> for ProxyError {
    fn from(bad: wire::InvalidModelName) -> Self {
        Self::BadName(match bad {
            wire::InvalidModelName::Percent => {
                "a `%` in it is not followed by two hexadecimal digits"
            }
            wire::InvalidModelName::NotUtf8 => "it is not UTF-8",
            wire::InvalidModelName::TooLong => "it is longer than 512 bytes",
        })
    }
}

/// JSON format of an error body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `{"error":{"message","type","code","param"}}`
    OpenAi,
    /// `{"type":"error","error":{"type","message"}}`
    Anthropic,
}

impl Dialect {
    /// Returns the format that clients of a path expect.
    pub fn from_path(path: &[u8]) -> Self {
        let path = path.strip_suffix(b"/").unwrap_or(path);
        if path.ends_with(b"/v1/messages") || path.ends_with(b"/v1/messages/count_tokens") {
            Self::Anthropic
        } else {
            Self::OpenAi
        }
    }
}

/// End of [`ProxyError::TooSlow`] if the slow client held a lease that others waited for.
const WHILE_OTHERS_WAITED: &str = " while other requests waited for its place with the model";

impl ProxyError {
    /// Creates the error for a client that sends its request too slowly; with a `lease`, others wait for it.
    pub fn too_slow_sender(bytes_per_second: u32, lease: bool) -> Self {
        Self::TooSlow {
            does: "sent its request",
            bytes_per_second,
            because: if lease { WHILE_OTHERS_WAITED } else { "" },
        }
    }

    /// Creates the error for a client that reads its response too slowly while others wait for its lease.
    pub fn too_slow_reader(bytes_per_second: u32) -> Self {
        Self::TooSlow {
            does: "read the answer",
            bytes_per_second,
            because: WHILE_OTHERS_WAITED,
        }
    }

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
    fn messages_paths_speak_anthropic() {
        assert_eq!(Dialect::from_path(b"/v1/messages"), Dialect::Anthropic);
        assert_eq!(
            Dialect::from_path(b"/upstream/m/v1/messages"),
            Dialect::Anthropic
        );
        assert_eq!(Dialect::from_path(b"/v1/chat/completions"), Dialect::OpenAi);
    }

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
