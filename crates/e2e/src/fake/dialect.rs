//! Writes generated text in each of the five API dialects that llama-server speaks.

mod chat;
mod completions;
mod messages;
mod native;
mod responses;

use std::time::Instant;

use super::generation_job::GenerationJob;
use super::response::Response;

/// The dialect of a request and its response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// llama.cpp's own `/completion`.
    Native,
    /// `/v1/completions`.
    Completions,
    /// `/v1/chat/completions`.
    Chat,
    /// Anthropic's `/v1/messages`.
    Messages,
    /// `/v1/responses`.
    Responses,
}

impl Dialect {
    /// Returns the error for a request without its input. `/v1/messages` reports it as a server error.
    pub(super) fn invalid(self, message: &str) -> Response {
        match self {
            Self::Messages => Response::error(500, "server_error", message),
            _ => Response::invalid(message),
        }
    }

    /// Returns the chunk of a token, counted from 1. The first chunk also opens the response.
    pub(super) fn event(self, job: &GenerationJob, number: u64) -> String {
        match self {
            Self::Native => native::event(job, number),
            Self::Completions => completions::event(job, number),
            Self::Chat => chat::event(job, number),
            Self::Messages => messages::event(job, number),
            Self::Responses => responses::event(job, number),
        }
    }

    /// Returns the chunk after the last token.
    pub(super) fn last(self, job: &GenerationJob, tally: &Tally) -> String {
        match self {
            Self::Native => format!("data: {}\n\n", native::whole(job, tally, "")),
            Self::Completions => format!("data: {}\n\n", completions::whole(job, tally, "")),
            Self::Chat => chat::last(job, tally),
            Self::Messages => messages::last(job),
            Self::Responses => responses::last(job, tally),
        }
    }

    /// Returns the chunk that ends a stream, or an empty string.
    pub(super) fn done(self) -> &'static str {
        match self {
            Self::Completions | Self::Chat => "data: [DONE]\n\n",
            Self::Native | Self::Messages | Self::Responses => "",
        }
    }

    /// Returns the response to a request without streaming.
    pub(super) fn whole(self, job: &GenerationJob, tally: &Tally) -> String {
        match self {
            Self::Native => native::whole(job, tally, &job.text()),
            Self::Completions => completions::whole(job, tally, &job.text()),
            Self::Chat => chat::whole(job, tally),
            Self::Messages => messages::whole(job),
            Self::Responses => responses::whole(job),
        }
    }
}

/// Facts known after the last token.
#[derive(Debug)]
pub(super) struct Tally {
    slot: usize,
    timings: String,
}

impl Tally {
    pub(super) fn new(job: &GenerationJob, start: Instant, slot: usize) -> Self {
        let milliseconds = (start.elapsed().as_secs_f64() * 1000.0).max(0.001);
        let read = job.prompt_tokens - job.cached_tokens;
        // At least one millisecond, also without `--fake-read-ms`.
        let prompt_ms = (read * job.read_ms).max(1);
        #[expect(clippy::cast_precision_loss, reason = "token counts are small")]
        let (read, tokens, ms) = (read as f64, job.tokens as f64, prompt_ms as f64);
        let timings = format!(
            concat!(
                r#"{{"cache_n":{},"prompt_n":{},"prompt_ms":{}.0,"prompt_per_token_ms":{:?},"#,
                r#""prompt_per_second":{:?},"predicted_n":{},"predicted_ms":{:?},"#,
                r#""predicted_per_token_ms":{:?},"predicted_per_second":{:?}}}"#
            ),
            job.cached_tokens,
            job.prompt_tokens - job.cached_tokens,
            prompt_ms,
            ms / read.max(1.0),
            1000.0 * read / ms,
            job.tokens,
            milliseconds,
            milliseconds / tokens,
            1000.0 * tokens / milliseconds,
        );
        Self { slot, timings }
    }
}

/// Returns the `usage` of completions and chat.
fn usage(job: &GenerationJob) -> String {
    let (made, read) = (job.tokens, job.prompt_tokens);
    format!(
        concat!(
            r#"{{"completion_tokens":{},"prompt_tokens":{},"total_tokens":{},"#,
            r#""prompt_tokens_details":{{"cached_tokens":{}}}}}"#
        ),
        made,
        read,
        made + read,
        job.cached_tokens,
    )
}

/// Returns the `finish_reason` of completions and chat.
fn finish_reason(job: &GenerationJob) -> &'static str {
    if job.limited { "length" } else { "stop" }
}
