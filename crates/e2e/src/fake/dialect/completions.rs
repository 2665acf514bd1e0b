//! Writes responses of `/v1/completions`.

use super::{GenerationJob, Tally, finish_reason, usage};
use crate::fake::json_writer::quote;

/// Returns the server-sent event for token `number`, counted from 1.
pub(super) fn event(job: &GenerationJob, number: u64) -> String {
    format!(
        concat!(
            r#"data: {{"choices":[{{"text":{},"index":0,"logprobs":null,"finish_reason":null}}],"#,
            r#""created":{},"model":{},"system_fingerprint":"b11434-fake","#,
            r#""object":"text_completion","id":"chatcmpl-{}"}}"#,
            "\n\n"
        ),
        quote(&job.token(number)),
        job.created,
        quote(&job.model),
        job.id,
    )
}

/// Returns the JSON object with usage and timings: without streaming the complete body, with the
/// generated text as `text`; in a stream the data of the last event, with an empty `text`.
pub(super) fn whole(job: &GenerationJob, tally: &Tally, text: &str) -> String {
    format!(
        concat!(
            r#"{{"choices":[{{"text":{},"index":0,"logprobs":null,"finish_reason":"{}"}}],"#,
            r#""created":{},"model":{},"system_fingerprint":"b11434-fake","#,
            r#""object":"text_completion","usage":{},"id":"chatcmpl-{}","timings":{}}}"#
        ),
        quote(text),
        finish_reason(job),
        job.created,
        quote(&job.model),
        usage(job),
        job.id,
        tally.timings,
    )
}
