use super::attribute::{PROVIDER, number, text};
use crate::trace::{Part, Trace, new_span};
use crate::{Batch, Operation, Outcome, Route, Row};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, SpanFlags, Status};
use paddock_scheduler::ModelId;
use std::time::{Duration, SystemTime};

/// The trace's flags: somebody keeps it.
const SAMPLED: u32 = 1;

/// The spans of the requests that have a trace.
pub(super) fn spans_of(batch: &Batch) -> impl Iterator<Item = Span> {
    batch.traced().flat_map(|(row, id, trace)| {
        let begin = nanoseconds(batch.time_of(row.arrived));
        let own = request(row, trace, model(batch, row), id, begin);
        let failed = own.status.clone().filter(|_| broke(row));
        let parts: Vec<Part> = trace.parts(row).collect();
        let last = parts.len();
        let parts = parts.into_iter().enumerate();
        let children: Vec<Span> = parts
            .map(|(at, part)| Span {
                // What breaks an answer off is in its last part.
                status: failed.clone().filter(|_| at + 1 == last),
                ..child(part, trace, begin)
            })
            .collect();
        [own].into_iter().chain(children)
    })
}

fn model<'a>(batch: &'a Batch, row: &Row) -> Option<&'a str> {
    let ModelId(place) = row.model?;
    batch.names.get(place)?.as_deref()
}

/// The span of a whole request.
fn request(row: &Row, trace: &Trace, model: Option<&str>, id: &[u8], begin: u64) -> Span {
    let remote = SpanFlags::ContextHasIsRemoteMask as u32;
    let is_remote = match trace.parent {
        Some(_) => SpanFlags::ContextIsRemoteMask as u32,
        None => 0,
    };
    Span {
        trace_id: trace.id.to_vec(),
        span_id: trace.span.to_vec(),
        parent_span_id: trace
            .parent
            .map(|parent| parent.to_vec())
            .unwrap_or_default(),
        trace_state: state(trace),
        flags: SAMPLED | remote | is_remote,
        name: name(row, trace, model),
        kind: SpanKind::Server.into(),
        start_time_unix_nano: begin,
        end_time_unix_nano: after(begin, row.total),
        attributes: attributes(row, trace, model, id),
        status: failure(row),
        ..Span::default()
    }
}

/// The span of a part of it.
fn child(part: Part, trace: &Trace, begin: u64) -> Span {
    Span {
        trace_id: trace.id.to_vec(),
        span_id: new_span().to_vec(),
        parent_span_id: trace.span.to_vec(),
        trace_state: state(trace),
        flags: SAMPLED | SpanFlags::ContextHasIsRemoteMask as u32,
        name: part.name.to_owned(),
        kind: SpanKind::Internal.into(),
        start_time_unix_nano: after(begin, part.from),
        end_time_unix_nano: after(begin, part.to),
        ..Span::default()
    }
}

fn state(trace: &Trace) -> String {
    trace.state.as_deref().unwrap_or_default().to_owned()
}

/// `chat gemma`, where something is generated; otherwise as spans of HTTP are called: `GET /slots`.
fn name(row: &Row, trace: &Trace, model: Option<&str>) -> String {
    let what = Operation::of(row.route).map(|operation| (operation.as_str(), model));
    match (what, path(row.route)) {
        (Some((operation, Some(model))), _) => format!("{operation} {model}"),
        (Some((operation, None)), _) => operation.to_owned(),
        (None, Some(path)) => format!("{} {path}", trace.method),
        // So OpenTelemetry's conventions want it.
        (None, None) if trace.method == "_OTHER" => "HTTP".to_owned(),
        (None, None) => trace.method.to_owned(),
    }
}

fn attributes(row: &Row, trace: &Trace, model: Option<&str>, id: &[u8]) -> Vec<KeyValue> {
    let usage = row.usage;
    let operation = Operation::of(row.route);
    let reason = error_type(row);
    [
        operation.map(|operation| text("gen_ai.operation.name", operation.as_str())),
        model.map(|_| text("gen_ai.provider.name", PROVIDER)),
        model.map(|model| text("gen_ai.request.model", model)),
        usage
            .prompt_tokens
            .map(|count| number("gen_ai.usage.input_tokens", count)),
        usage
            .cached_tokens
            .map(|count| number("gen_ai.usage.cache_read.input_tokens", count)),
        usage
            .generated_tokens
            .map(|count| number("gen_ai.usage.output_tokens", count)),
        Some(text("http.request.method", trace.method)),
        path(row.route).map(|path| text("http.route", path)),
        row.status
            .map(|status| number("http.response.status_code", status.into())),
        Some(number("http.request.body.size", row.bytes_in)),
        Some(number("http.response.body.size", row.bytes_out)),
        reason.map(|reason| text("error.type", reason)),
        Some(text("paddock.request.id", String::from_utf8_lossy(id))),
        Some(text("paddock.outcome", row.outcome.as_str())),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The path by which it is customarily asked for.
fn path(route: Route) -> Option<&'static str> {
    Some(match route {
        Route::ChatCompletions => "/v1/chat/completions",
        Route::Completions => "/v1/completions",
        Route::Responses => "/v1/responses",
        Route::Messages => "/v1/messages",
        Route::Embeddings => "/v1/embeddings",
        Route::Rerank => "/v1/rerank",
        Route::Completion => "/completion",
        Route::Infill => "/infill",
        Route::CountTokens => "/v1/messages/count_tokens",
        Route::Tokenize => "/tokenize",
        Route::Detokenize => "/detokenize",
        Route::ApplyTemplate => "/apply-template",
        Route::Props => "/props",
        Route::Slots => "/slots",
        Route::Health => "/health",
        Route::Models => "/v1/models",
        Route::Metrics => "/metrics",
        Route::Other => return None,
    })
}

/// The server is to blame, as OpenTelemetry's conventions for HTTP draw the line.
fn failure(row: &Row) -> Option<Status> {
    let failed = broke(row) || row.status.is_some_and(|status| status >= 500);
    failed.then(|| Status {
        code: StatusCode::Error.into(),
        message: String::new(),
    })
}

/// The child failed, before its answer or inside it.
fn broke(row: &Row) -> bool {
    row.outcome == Outcome::UpstreamError
}

fn error_type(row: &Row) -> Option<String> {
    let status = row.status.filter(|status| *status >= 500);
    match (row.error, status) {
        (Some(kind), _) => Some(kind.to_owned()),
        (None, Some(status)) => Some(status.to_string()),
        (None, None) => broke(row).then(|| row.outcome.as_str().to_owned()),
    }
}

/// A time of the wall's clock in nanoseconds since 1970.
pub(super) fn nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    after(0, since.unwrap_or_default())
}

fn after(time: u64, by: Duration) -> u64 {
    time.saturating_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
