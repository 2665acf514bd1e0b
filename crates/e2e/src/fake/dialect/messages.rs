//! Writes responses of Anthropic's `/v1/messages`.

use super::GenerationJob;
use crate::fake::json_writer::quote;

/// Returns the server-sent event for token `number`, counted from 1; the first is preceded by the
/// events that open the response.
pub(super) fn event(job: &GenerationJob, number: u64) -> String {
    let text = quote(&job.token(number));
    let delta = named_event(
        "content_block_delta",
        &format!(r#","index":0,"delta":{{"type":"text_delta","text":{text}}}"#),
    );
    if number > 1 {
        return delta;
    }
    let message = message(job, "[]", "null", 0);
    let block = r#","index":0,"content_block":{"type":"text","text":""}"#;
    named_event("message_start", &format!(r#","message":{message}"#))
        + &named_event("content_block_start", block)
        + &delta
}

/// Returns the events after the last token of a stream.
pub(super) fn last(job: &GenerationJob) -> String {
    let (reason, made) = (stop_reason(job), job.tokens);
    let delta = format!(
        r#","delta":{{"stop_reason":{reason},"stop_sequence":null}},"usage":{{"output_tokens":{made}}}"#
    );
    named_event("content_block_stop", r#","index":0"#)
        + &named_event("message_delta", &delta)
        + &named_event("message_stop", "")
}

/// Returns the body of a response without streaming.
pub(super) fn whole(job: &GenerationJob) -> String {
    let content = format!(r#"[{{"type":"text","text":{}}}]"#, quote(&job.text()));
    message(job, &content, stop_reason(job), job.tokens)
}

/// Returns the message object, with this JSON content and stop reason.
fn message(job: &GenerationJob, content: &str, stop_reason: &str, output: u64) -> String {
    format!(
        concat!(
            r#"{{"id":"chatcmpl-{}","type":"message","role":"assistant","content":{},"model":{},"#,
            r#""stop_reason":{},"stop_sequence":null,"usage":{{"cache_read_input_tokens":{},"#,
            r#""input_tokens":{},"output_tokens":{}}}}}"#
        ),
        job.id,
        content,
        quote(&job.model),
        stop_reason,
        job.cached_tokens,
        job.prompt_tokens - job.cached_tokens,
        output,
    )
}

fn stop_reason(job: &GenerationJob) -> &'static str {
    if job.limited {
        r#""max_tokens""#
    } else {
        r#""end_turn""#
    }
}

/// Returns an event whose data repeats its name.
fn named_event(name: &str, fields: &str) -> String {
    format!("event: {name}\ndata: {{\"type\":\"{name}\"{fields}}}\n\n")
}
