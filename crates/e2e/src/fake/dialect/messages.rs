//! `/v1/messages`, the Anthropic way.

use super::Job;
use crate::fake::json::quoted;

pub(super) fn event(job: &Job, number: u64) -> String {
    let text = quoted(&job.token(number));
    let delta = named(
        "content_block_delta",
        &format!(r#","index":0,"delta":{{"type":"text_delta","text":{text}}}"#),
    );
    if number > 1 {
        return delta;
    }
    let message = message(job, "[]", "null", 0);
    let block = r#","index":0,"content_block":{"type":"text","text":""}"#;
    named("message_start", &format!(r#","message":{message}"#))
        + &named("content_block_start", block)
        + &delta
}

pub(super) fn last(job: &Job) -> String {
    let (reason, made) = (stop_reason(job), job.tokens);
    let delta = format!(
        r#","delta":{{"stop_reason":{reason},"stop_sequence":null}},"usage":{{"output_tokens":{made}}}"#
    );
    named("content_block_stop", r#","index":0"#)
        + &named("message_delta", &delta)
        + &named("message_stop", "")
}

pub(super) fn whole(job: &Job) -> String {
    let content = format!(r#"[{{"type":"text","text":{}}}]"#, quoted(&job.text()));
    message(job, &content, stop_reason(job), job.tokens)
}

fn message(job: &Job, content: &str, stop_reason: &str, output: u64) -> String {
    format!(
        concat!(
            r#"{{"id":"chatcmpl-{}","type":"message","role":"assistant","content":{},"model":{},"#,
            r#""stop_reason":{},"stop_sequence":null,"usage":{{"cache_read_input_tokens":0,"#,
            r#""input_tokens":{},"output_tokens":{}}}}}"#
        ),
        job.id,
        content,
        quoted(&job.model),
        stop_reason,
        job.prompt_tokens,
        output,
    )
}

fn stop_reason(job: &Job) -> &'static str {
    if job.limited {
        r#""max_tokens""#
    } else {
        r#""end_turn""#
    }
}

/// An event that carries its name inside too.
fn named(name: &str, fields: &str) -> String {
    format!("event: {name}\ndata: {{\"type\":\"{name}\"{fields}}}\n\n")
}
