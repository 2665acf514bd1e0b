//! `/v1/chat/completions`.

use super::{Job, Tally, finish_reason, usage};
use crate::fake::json::quoted;

pub(super) fn event(job: &Job, number: u64) -> String {
    let content = quoted(&job.token(number));
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
    // The role comes with the first token, in one chunk of two events.
    data(
        job,
        &choice("null", r#"{"role":"assistant","content":null}"#),
        "",
    ) + &delta
}

pub(super) fn last(job: &Job, tally: &Tally) -> String {
    let reason = format!(r#""{}""#, finish_reason(job));
    let timings = format!(r#","timings":{}"#, tally.timings);
    let end = choice(&reason, "{}");
    if !job.include_usage {
        return data(job, &end, &timings);
    }
    let usage = format!(r#","usage":{}{timings}"#, usage(job));
    data(job, &end, "") + &data(job, "", &usage)
}

pub(super) fn whole(job: &Job, tally: &Tally) -> String {
    format!(
        concat!(
            r#"{{"choices":[{{"finish_reason":"{}","index":0,"#,
            r#""message":{{"role":"assistant","content":{}}}}}],"created":{},"model":{},"#,
            r#""system_fingerprint":"b11434-fake","object":"chat.completion","usage":{},"#,
            r#""id":"chatcmpl-{}","timings":{}}}"#
        ),
        finish_reason(job),
        quoted(&job.text()),
        job.created,
        quoted(&job.model),
        usage(job),
        job.id,
        tally.timings,
    )
}

fn choice(reason: &str, delta: &str) -> String {
    format!(r#"{{"finish_reason":{reason},"index":0,"delta":{delta}}}"#)
}

fn data(job: &Job, choices: &str, more: &str) -> String {
    format!(
        concat!(
            r#"data: {{"choices":[{}],"created":{},"id":"chatcmpl-{}","model":{},"#,
            r#""system_fingerprint":"b11434-fake","object":"chat.completion.chunk"{}}}"#,
            "\n\n"
        ),
        choices,
        job.created,
        job.id,
        quoted(&job.model),
        more,
    )
}
