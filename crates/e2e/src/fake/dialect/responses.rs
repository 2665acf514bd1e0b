//! Writes responses of `/v1/responses`.

use super::{GenerationJob, Tally};
use crate::fake::json_writer::quote;

/// Returns the server-sent event for token `number`, counted from 1; the first is preceded by the
/// events that open the response.
pub(super) fn event(job: &GenerationJob, number: u64) -> String {
    let item = format!(r#""item_id":"msg_{}""#, job.id);
    let text = quote(&job.token(number));
    let delta = named_event(
        "response.output_text.delta",
        &format!(r#"{item},"delta":{text}"#),
    );
    if number > 1 {
        return delta;
    }
    let response = format!(
        r#""response":{{"id":"resp_{}","object":"response","status":"in_progress"}}"#,
        job.id
    );
    let message = format!(
        concat!(
            r#""item":{{"content":[],"id":"msg_{}","role":"assistant","#,
            r#""status":"in_progress","type":"message"}}"#
        ),
        job.id
    );
    let part = format!(r#"{item},"part":{{"type":"output_text","text":""}}"#);
    named_event("response.created", &response)
        + &named_event("response.in_progress", &response)
        + &named_event("response.output_item.added", &message)
        + &named_event("response.content_part.added", &part)
        + &delta
}

/// Returns the events after the last token of a stream.
pub(super) fn last(job: &GenerationJob, tally: &Tally) -> String {
    let item_id = format!(r#""item_id":"msg_{}""#, job.id);
    let (text, part) = (quote(&job.text()), part(job));
    let item = format!(
        concat!(
            r#"{{"type":"message","status":"completed","id":"msg_{}","#,
            r#""content":[{}],"role":"assistant"}}"#
        ),
        job.id, part
    );
    let response = format!(
        concat!(
            r#""response":{{"id":"resp_{}","object":"response","created_at":{},"#,
            r#""status":"completed","model":{},"output":[{}],"usage":{}}},"timings":{}"#
        ),
        job.id,
        job.created,
        quote(&job.model),
        item,
        usage(job),
        tally.timings,
    );
    named_event(
        "response.output_text.done",
        &format!(r#"{item_id},"text":{text}"#),
    ) + &named_event(
        "response.content_part.done",
        &format!(r#"{item_id},"part":{part}"#),
    ) + &named_event("response.output_item.done", &format!(r#""item":{item}"#))
        + &named_event("response.completed", &response)
}

pub(super) fn whole(job: &GenerationJob) -> String {
    format!(
        concat!(
            r#"{{"completed_at":{created},"created_at":{created},"id":"resp_{id}","#,
            r#""model":{model},"object":"response","output":[{{"content":[{part}],"#,
            r#""id":"msg_{id}","role":"assistant","status":"completed","type":"message"}}],"#,
            r#""status":"completed","usage":{usage}}}"#
        ),
        created = job.created,
        id = job.id,
        model = quote(&job.model),
        part = part(job),
        usage = usage(job),
    )
}

fn part(job: &GenerationJob) -> String {
    let text = quote(&job.text());
    format!(r#"{{"type":"output_text","annotations":[],"logprobs":[],"text":{text}}}"#)
}

fn usage(job: &GenerationJob) -> String {
    let (read, made) = (job.prompt_tokens, job.tokens);
    format!(
        concat!(
            r#"{{"input_tokens":{},"output_tokens":{},"total_tokens":{},"#,
            r#""input_tokens_details":{{"cached_tokens":{}}}}}"#
        ),
        read,
        made,
        read + made,
        job.cached_tokens,
    )
}

/// Returns an event whose data repeats its name.
fn named_event(name: &str, fields: &str) -> String {
    format!("event: {name}\ndata: {{\"type\":\"{name}\",{fields}}}\n\n")
}
