//! Writes responses of `/v1/chat/completions`.

use super::{GenerationJob, Tally, finish_reason, usage};
use crate::fake::json_writer::quote;

/// Returns the server-sent event for token `number`, counted from 1; the first is preceded by the
/// events that open the response.
pub(super) fn event(job: &GenerationJob, number: u64) -> String {
    let content = quote(&job.token(number));
    let part = if number <= job.reasoning {
        "reasoning_content"
    } else {
        "content"
    };
    let delta = data(
        job,
        &choice("null", &format!(r#"{{"{part}":{content}}}"#)),
        "",
    );
    if number > 1 {
        return delta;
    }
    // The role and the first token are sent in one chunk with two events.
    data(
        job,
        &choice("null", r#"{"role":"assistant","content":null}"#),
        "",
    ) + &delta
}

/// Returns the events after the last token of a stream.
pub(super) fn last(job: &GenerationJob, tally: &Tally) -> String {
    let reason = format!(r#""{}""#, finish_reason(job));
    let timings = format!(r#","timings":{}"#, tally.timings);
    let end = choice(&reason, "{}");
    if !job.include_usage {
        return data(job, &end, &timings);
    }
    let usage = format!(r#","usage":{}{timings}"#, usage(job));
    data(job, &end, "") + &data(job, "", &usage)
}

/// Returns the body of a response without streaming.
pub(super) fn whole(job: &GenerationJob, tally: &Tally) -> String {
    format!(
        concat!(
            r#"{{"choices":[{{"finish_reason":"{}","index":0,"#,
            r#""message":{{"role":"assistant","content":{}}}}}],"created":{},"model":{},"#,
            r#""system_fingerprint":"b11434-fake","object":"chat.completion","usage":{},"#,
            r#""id":"chatcmpl-{}","timings":{}}}"#
        ),
        finish_reason(job),
        quote(&job.text()),
        job.created,
        quote(&job.model),
        usage(job),
        job.id,
        tally.timings,
    )
}

/// Returns the choice of a chunk.
fn choice(reason: &str, delta: &str) -> String {
    format!(r#"{{"finish_reason":{reason},"index":0,"delta":{delta}}}"#)
}

fn data(job: &GenerationJob, choices: &str, more: &str) -> String {
    format!(
        concat!(
            r#"data: {{"choices":[{}],"created":{},"id":"chatcmpl-{}","model":{},"#,
            r#""system_fingerprint":"b11434-fake","object":"chat.completion.chunk"{}}}"#,
            "\n\n"
        ),
        choices,
        job.created,
        job.id,
        quote(&job.model),
        more,
    )
}
