//! `/v1/completions`.

use super::{Job, Tally, finish_reason, usage};
use crate::fake::json::quoted;

pub(super) fn event(job: &Job, number: u64) -> String {
    format!(
        concat!(
            r#"data: {{"choices":[{{"text":{},"index":0,"logprobs":null,"finish_reason":null}}],"#,
            r#""created":{},"model":{},"system_fingerprint":"b11434-fake","#,
            r#""object":"text_completion","id":"chatcmpl-{}"}}"#,
            "\n\n"
        ),
        quoted(&job.token(number)),
        job.created,
        quoted(&job.model),
        job.id,
    )
}

pub(super) fn whole(job: &Job, tally: &Tally, text: &str) -> String {
    format!(
        concat!(
            r#"{{"choices":[{{"text":{},"index":0,"logprobs":null,"finish_reason":"{}"}}],"#,
            r#""created":{},"model":{},"system_fingerprint":"b11434-fake","#,
            r#""object":"text_completion","usage":{},"id":"chatcmpl-{}","timings":{}}}"#
        ),
        quoted(text),
        finish_reason(job),
        job.created,
        quoted(&job.model),
        usage(job),
        job.id,
        tally.timings,
    )
}
