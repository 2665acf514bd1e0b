//! Writes responses of llama.cpp's own `/completion`.

use super::{GenerationJob, Tally};
use crate::fake::json_writer::quote;

/// Returns the server-sent event for token `number`, counted from 1.
pub(super) fn event(job: &GenerationJob, number: u64) -> String {
    format!(
        concat!(
            r#"data: {{"index":0,"content":{},"tokens":[{number}],"stop":false,"id_slot":-1,"#,
            r#""tokens_predicted":{number},"tokens_evaluated":{}}}"#,
            "\n\n"
        ),
        quote(&job.token(number)),
        job.prompt_tokens,
        number = number,
    )
}

/// Returns the JSON object with the final counts and timings: without streaming the complete body,
/// with the generated text as `content`; in a stream the data of the last event, with an empty
/// `content`.
pub(super) fn whole(job: &GenerationJob, tally: &Tally, content: &str) -> String {
    format!(
        concat!(
            r#"{{"index":0,"content":{content},"tokens":[],"id_slot":{slot},"stop":true,"#,
            r#""model":{model},"tokens_predicted":{made},"tokens_evaluated":{read},"#,
            r#""generation_settings":{{"n_predict":{made},"stream":{stream}}},"prompt":"","#,
            r#""has_new_line":false,"truncated":false,"stop_type":"{stop}","stopping_word":"","#,
            r#""tokens_cached":{cached},"timings":{timings}}}"#
        ),
        content = quote(content),
        slot = tally.slot,
        model = quote(&job.model),
        made = job.tokens,
        read = job.prompt_tokens,
        stream = job.stream,
        stop = if job.limited { "limit" } else { "eos" },
        cached = job.tokens + job.prompt_tokens - 1,
        timings = tally.timings,
    )
}
