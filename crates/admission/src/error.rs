//! The errors with which paddock itself answers a request.
//!
//! `error/response.rs` turns an error into a status, a kind and a body; `error/dialect.rs` decides in which
//! format.

mod dialect;
mod load_failure;
mod response;
mod unroutable;

pub use dialect::Dialect;
pub use load_failure::{LoadFailure, failure_json, unix_seconds};
pub use unroutable::Unroutable;

use crate::browser_policy::PageRefusal;
use crate::keys::KeyLimit;
use paddock_config::Expiry;
use paddock_wire as wire;
use std::sync::Arc;
use std::time::Duration;

/// Reason why paddock answers a request with an error instead of the model's response.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProxyError {
    /// The client's request is malformed or ambiguous.
    #[error("invalid request: {0}")]
    BadRequest(#[from] wire::InvalidRequest),
    /// The client did not finish its request in time.
    #[error("the request timed out: the client sent nothing for {} s", .0.as_secs())]
    RequestTimeout(Duration),
    /// The client sent or read below the minimum rate.
    #[error("the client {does} more slowly than {} KiB/s on average{}", .bytes_per_second / 1024, .because)]
    TooSlow {
        /// The slow action, such as `sent its request`.
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
    #[error("invalid model name: {0}")]
    BadName(&'static str),
    /// The request names no model, and there is no default.
    #[error(
        "this request names no model: send the name as `model` in the body, as `?model=`, in the header \
         `x-paddock-model`, or in the path as /upstream/MODEL/...; configured: {configured}"
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
        "'{model}' is not loaded, and this request does not load it: health, metrics, slots and static files are \
         served only while the model is loaded; a chat request or `paddock load {model}` loads it"
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
         [auth.keys.{key}], or create another key with `paddock key new NAME`"
    )]
    KeyExpired {
        /// The key's name.
        key: String,
        /// Time at which it expired.
        expired: Expiry,
    },
    /// The request's API key lacks the scope.
    #[error(
        "the API key '{key}' does not allow this request: it needs {needs}, and the key allows {allows}; the \
         operator can add the missing scope to `allow` under [auth.keys.{key}]"
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
    #[error("the API key '{key}' does not allow the model '{model}'; it allows: {allowed}")]
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
    #[error("invalid request: {0}")]
    BadStream(&'static str),
    /// The request's API key has opened no stream of this conversation.
    #[error("this API key has no such stream: it has ended or belongs to another key")]
    UnknownStream,
    /// Another API key has opened a stream of this conversation.
    #[error(
        "another API key already uses this X-Conversation-Id with this model; choose another id, such as a random UUID"
    )]
    ConversationTaken,
    /// The requests of an API key have reached one of its limits.
    #[error("the API key '{key}' has reached its limit `{}`; try again in {retry_after} s", .limit.as_str())]
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
        "too many request bodies are being buffered to find the model name; send it in the header \
         `x-paddock-model`, or retry shortly"
    )]
    TooMuchBuffered,
    /// The maximum number of connections is open.
    #[error(
        "{} has reached its limit of {max} connections: close unused ones; the operator can raise \
         `server.max_connections{}`",
        if *.per_address { "this address" } else { "paddock" },
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
    #[error("too many requests are already waiting for '{model}'; try again in a moment")]
    QueueFull {
        /// The model's name.
        model: String,
        /// Seconds until a retry may succeed.
        retry_after: Option<u64>,
    },
    /// The request waited for a lease until the time limit.
    #[error("timed out waiting for a free slot on '{model}'")]
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
        "timed out waiting for '{model}' to load: other models were using the memory that it needs"
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
        "'{model}' does not fit: it needs {needs}, and at most {available} can be freed{}a shorter \
         context, another quantization or a larger [memory] budget",
        if *.pinned {
            " while other models are pinned; unpin a model (`paddock unpin MODEL`), or use "
        } else {
            "; use "
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
        "'{model}' ran out of memory while loading: paddock expected it to need {needs} of {free} free memory, \
         and no other model could be evicted for it"
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
    #[error("the operator cancelled this request")]
    Cancelled,
    /// The model fails to load.
    #[error("'{model}' failed to load: {}", .failure.cause.message)]
    LoadFailed {
        /// The model's name.
        model: String,
        /// Failure of the child.
        failure: LoadFailure,
        /// Seconds until a retry may succeed; `None` if waiting cannot help.
        retry_after: Option<u64>,
    },
    /// The request would save, restore or erase a slot of a child whose contexts paddock keeps. The message is that of
    /// a llama-server without `--slot-save-path` (llama.cpp b11434, tools/server/server-context.cpp, `post_slots`).
    #[error("This server does not support slots action. Start it with `--slot-save-path`")]
    SlotsReserved,
    /// paddock is stopping.
    #[error("paddock is stopping; try again after it restarts")]
    ShuttingDown,
    /// The child cannot be reached.
    #[error("the model's server cannot be reached: {0}")]
    UpstreamUnreachable(String),
    /// The child broke off its response; says how.
    #[error("the model's server {0}")]
    UpstreamClosed(&'static str),
    /// The child exited before it had answered.
    #[error("the model's server exited before it responded: {0}")]
    UpstreamExited(Arc<str>),
    /// The child hung and was killed.
    #[error("the model's server hung: {0}")]
    UpstreamHung(Arc<str>),
    /// The child's response is not HTTP that can be forwarded.
    #[error("the model's server sent an invalid response: {0}")]
    UpstreamMalformed(#[from] wire::InvalidResponse),
    /// The child's response is not the event stream that paddock has announced to the client.
    #[error("the model's server responded with status {0} but not with an event stream")]
    UpstreamNoStream(u16),
    /// The child sent nothing until the time limit.
    #[error("the model's server sent nothing for {} s", .0.as_secs())]
    UpstreamTimeout(Duration),
}

impl From<wire::InvalidModelName> for ProxyError {
    fn from(bad: wire::InvalidModelName) -> Self {
        Self::BadName(match bad {
            wire::InvalidModelName::Percent => "a `%` is not followed by two hexadecimal digits",
            wire::InvalidModelName::NotUtf8 => "it is not UTF-8",
            wire::InvalidModelName::TooLong => "it is longer than 512 bytes",
        })
    }
}

/// End of [`ProxyError::TooSlow`] if the slow client held a lease that others waited for.
const WHILE_OTHERS_WAITED: &str = " while other requests waited for its slot";

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
            does: "read the response",
            bytes_per_second,
            because: WHILE_OTHERS_WAITED,
        }
    }
}
