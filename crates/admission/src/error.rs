//! Errors of paddock's own making, and the one place that turns them into HTTP.

mod load_failure;
mod unroutable;

pub use load_failure::LoadFailure;
pub use load_failure::{failure_json, unix};
pub use unroutable::Unroutable;

use crate::browser_policy::PageRefusal;
use crate::keys::Limit;
use paddock_config::Expiry;
use paddock_wire as wire;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Why paddock answers a request itself.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProxyError {
    /// The client's request is malformed or ambiguous.
    #[error("paddock refuses this request: {0}")]
    BadRequest(#[from] wire::InvalidRequest),
    /// The client did not finish its request in time.
    #[error("the request did not arrive in time: nothing came for {} s", .0.as_secs())]
    RequestTimeout(Duration),
    /// The client sent or read slower than it may.
    #[error("the client {does} at less than {} KiB/s on average{}", .bytes_per_second / 1024, .because)]
    TooSlow {
        /// The slow act, such as `sent its request`.
        does: &'static str,
        /// The minimum.
        bytes_per_second: u32,
        /// The reason why the client could not go on like that.
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
    /// The name of a model cannot be one.
    #[error("this request names no model that there could be: {0}")]
    BadName(&'static str),
    /// The request names no model, and there is no default.
    #[error(
        "this request does not say which model it is for: name it as `model` in the body, as \
         `?model=`, as `x-paddock-model`, or in the path as /upstream/MODEL/...; there are: {configured}"
    )]
    NoModel {
        /// What there is.
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
    /// The request shows no API key, or none that is configured.
    #[error("{0}")]
    Unauthorized(&'static str),
    /// The request's API key is no longer good.
    #[error(
        "the API key '{key}' expired at {expired}; the operator can set a later `expires` under \
         [auth.keys.{key}], or make another key with `paddock key new NAME`"
    )]
    KeyExpired {
        /// The key's name.
        key: String,
        /// When.
        expired: Expiry,
    },
    /// The request's API key is not for this.
    #[error(
        "the API key '{key}' does not allow this: it wants {needs}, and the key allows {allows}; the operator \
         can add that to `allow` under [auth.keys.{key}]"
    )]
    ForbiddenScope {
        /// The key's name.
        key: String,
        /// What it would have to allow.
        needs: String,
        /// What it allows.
        allows: String,
    },
    /// The request's API key is not for this model.
    #[error("the API key '{key}' is not for the model '{model}'; it is for: {allowed}")]
    ForbiddenModel {
        /// The key's name.
        key: String,
        /// The model's name.
        model: String,
        /// The models it is for.
        allowed: String,
    },
    /// A web page that may not use models sends the request, or could be sending it.
    #[error(transparent)]
    ForbiddenPage(#[from] PageRefusal),
    /// The request wants something of streams that cannot be checked.
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
        /// Which one.
        limit: Limit,
        /// After how many seconds a retry is let in, if nobody else is.
        retry_after: u64,
    },
    /// More of bodies is held than may be, while their models are unknown.
    #[error(
        "too many large requests that do not name their model at the start; send `x-paddock-model` \
         with this one, or try again in a moment"
    )]
    TooMuchHeld,
    /// There are as many connections as there may be.
    #[error(
        "{} as many connections as there may be ({most}): close those that are not used; the operator can \
         raise `server.max_connections{}`",
        if *.of_address { "this address has" } else { "paddock has" },
        if *.of_address { "_per_address" } else { "` and the limit of open files, `LimitNOFILE" }
    )]
    TooManyConnections {
        /// The limit.
        most: usize,
        /// It is the limit of one address.
        of_address: bool,
    },
    /// The request names a model that is not configured.
    #[error("there is no model '{name}' here; configured: {configured}")]
    UnknownModel {
        /// What the client asked for.
        name: String,
        /// What there is.
        configured: String,
    },
    /// Too many requests wait already.
    #[error("too many requests are waiting for '{model}' already; try again in a moment")]
    QueueFull {
        /// The model's name.
        model: String,
        /// After how many seconds a retry has a chance.
        retry_after: Option<u64>,
    },
    /// The request waited as long as it may for its turn.
    #[error("'{model}' stayed busy for as long as a request may wait")]
    QueueTimeout {
        /// The model's name.
        model: String,
        /// After how many seconds a retry has a chance.
        retry_after: Option<u64>,
    },
    /// The model was still loading when the request had waited long enough.
    #[error("'{model}' is still loading; try again in a moment")]
    Loading {
        /// The model's name.
        model: String,
        /// After how many seconds a retry has a chance.
        retry_after: Option<u64>,
    },
    /// Other models were using the memory for as long as the request may wait.
    #[error(
        "'{model}' is not loaded, and other models were using the memory it needs for as long as a \
         request may wait"
    )]
    NoRoom {
        /// The model's name.
        model: String,
        /// After how many seconds a retry has a chance.
        retry_after: Option<u64>,
    },
    /// The operator is unloading the model.
    #[error("'{model}' is being unloaded; it can be loaded again in a moment")]
    Draining {
        /// The model's name.
        model: String,
        /// After how many seconds a retry has a chance.
        retry_after: Option<u64>,
    },
    /// The model needs more memory than there could be.
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
        /// What it needs.
        needs: String,
        /// What there is, less what is pinned.
        available: String,
        /// It would fit if nothing were pinned. Which models are is not for every client to know.
        pinned: bool,
    },
    /// The model ran out of memory, although it was thought to fit.
    #[error(
        "'{model}' ran out of memory while loading: it was expected to need {needs}, of {free} that \
         were thought to be free, and no other model could make more room"
    )]
    RanOut {
        /// The model's name.
        model: String,
        /// What it was expected to need.
        needs: String,
        /// What was thought to be free.
        free: String,
        /// What the child said.
        failure: Option<LoadFailure>,
        /// After how many seconds a retry has a chance.
        retry_after: Option<u64>,
    },
    /// The operator has ended the request.
    #[error("the operator has cancelled this request")]
    Cancelled,
    /// The model does not load.
    #[error("'{model}' does not load: {}", .failure.cause.message)]
    LoadFailed {
        /// The model's name.
        model: String,
        /// What the child said, and how it ended.
        failure: LoadFailure,
        /// After how many seconds a retry has a chance; nothing where time cannot help.
        retry_after: Option<u64>,
    },
    /// paddock is stopping.
    #[error("paddock is stopping; try again when it is back")]
    ShuttingDown,
    /// The child cannot be reached.
    #[error("the model's server cannot be reached: {0}")]
    UpstreamUnreachable(String),
    /// The child closed the connection before it had answered, or in the middle of the answer.
    #[error("the model's server closed the connection {0}")]
    UpstreamClosed(&'static str),
    /// The child exited before it had answered.
    #[error("the model's server exited before it answered: {0}")]
    UpstreamExited(Arc<str>),
    /// The child no longer answered anything and was ended.
    #[error("the model's server hung: {0}")]
    UpstreamHung(Arc<str>),
    /// The child's answer is not HTTP that can be passed on.
    #[error("the model's server gave an answer that cannot be passed on: {0}")]
    UpstreamMalformed(#[from] wire::InvalidResponse),
    /// The child's answer is not the stream that its client has been promised.
    #[error("the model's server answered with status {0} and no event stream")]
    UpstreamNoStream(u16),
    /// The child said nothing for too long.
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

/// The shape in which a client expects errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `{"error":{"message","type","code","param"}}`
    OpenAi,
    /// `{"type":"error","error":{"type","message"}}`
    Anthropic,
}

impl Dialect {
    /// The dialect spoken on a path.
    pub fn of_path(path: &[u8]) -> Self {
        let path = path.strip_suffix(b"/").unwrap_or(path);
        if path.ends_with(b"/v1/messages") || path.ends_with(b"/v1/messages/count_tokens") {
            Self::Anthropic
        } else {
            Self::OpenAi
        }
    }
}

/// Reasons to cut off a slow client that occupies a place with its model.
const OTHERS_WAIT: &str = " while other requests waited for its place with the model";

impl ProxyError {
    /// A client that sends its request too slowly; with a `lease`, others wait for its place.
    pub fn too_slow_sender(bytes_per_second: u32, lease: bool) -> Self {
        Self::TooSlow {
            does: "sent its request",
            bytes_per_second,
            because: if lease { OTHERS_WAIT } else { "" },
        }
    }

    /// A client that reads its answer too slowly while others wait for its place.
    pub fn too_slow_reader(bytes_per_second: u32) -> Self {
        Self::TooSlow {
            does: "read the answer",
            bytes_per_second,
            because: OTHERS_WAIT,
        }
    }

    /// The HTTP status (RFC 9110 §15).
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
            Self::QueueFull { .. } | Self::TooMuchHeld | Self::RateLimited { .. } => 429,
            Self::QueueTimeout { .. }
            | Self::NoRoom { .. }
            | Self::Loading { .. }
            | Self::Draining { .. }
            | Self::DoesNotFit { .. }
            | Self::RanOut { .. }
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

    /// The machine-readable kind, as in the header `x-paddock-error`.
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
            Self::QueueFull { .. } | Self::TooMuchHeld => "queue_full",
            Self::QueueTimeout { .. } | Self::NoRoom { .. } => "queue_timeout",
            Self::Draining { .. } => "draining",
            Self::DoesNotFit { .. } => "does_not_fit",
            Self::Cancelled => "cancelled",
            Self::TooManyConnections { .. } => "too_many_connections",
            Self::Loading { .. } => "loading",
            Self::LoadFailed { .. } | Self::RanOut { .. } => "load_failed",
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

    /// After how many seconds a retry can help, where it can.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::QueueFull { retry_after, .. }
            | Self::QueueTimeout { retry_after, .. }
            | Self::Loading { retry_after, .. }
            | Self::NoRoom { retry_after, .. }
            | Self::Draining { retry_after, .. }
            | Self::RanOut { retry_after, .. }
            | Self::LoadFailed { retry_after, .. } => *retry_after,
            Self::RateLimited { retry_after, .. } => Some(*retry_after),
            Self::TooMuchHeld | Self::TooManyConnections { .. } => Some(1),
            Self::ShuttingDown => Some(5),
            _ => None,
        }
    }

    /// The JSON body.
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
            | Self::RanOut {
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
        assert_eq!(Dialect::of_path(b"/v1/messages"), Dialect::Anthropic);
        assert_eq!(
            Dialect::of_path(b"/upstream/m/v1/messages"),
            Dialect::Anthropic
        );
        assert_eq!(Dialect::of_path(b"/v1/chat/completions"), Dialect::OpenAi);
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
