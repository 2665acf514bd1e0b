//! Converts an ended request to spans: one for the request, one for each phase.

use super::attribute::{PROVIDER, integer_attribute, text_attribute};
use crate::trace::{RequestPhase, Trace, new_span};
use crate::{Operation, Outcome, RecordBatch, RequestRecord, Route};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, SpanFlags, Status};
use paddock_scheduler::ModelId;
use std::time::{Duration, SystemTime};

/// Trace flag "sampled".
const SAMPLED: u32 = 1;

/// Returns the spans of the traced requests in a batch.
pub(super) fn spans_from_batch(batch: &RecordBatch) -> impl Iterator<Item = Span> {
    batch.traced().flat_map(|(record, id, trace)| {
        let begin = unix_nanos(batch.time_of(record.arrived));
        let root = root_span(record, trace, model_name(batch, record), id, begin);
        let failed = root.status.clone().filter(|_| is_upstream_error(record));
        let phases: Vec<RequestPhase> = trace.phases(record).collect();
        let last = phases.len();
        let phases = phases.into_iter().enumerate();
        let children: Vec<Span> = phases
            .map(|(at, phase)| Span {
                // An answer breaks off in its last phase.
                status: failed.clone().filter(|_| at + 1 == last),
                ..phase_span(phase, trace, begin)
            })
            .collect();
        [root].into_iter().chain(children)
    })
}

/// Returns the name of the record's model; the record itself has only an index.
fn model_name<'a>(batch: &'a RecordBatch, record: &RequestRecord) -> Option<&'a str> {
    let ModelId(index) = record.model?;
    batch.names.get(index)?.as_deref()
}

/// Returns the span of a whole request.
fn root_span(
    record: &RequestRecord,
    trace: &Trace,
    model: Option<&str>,
    id: &[u8],
    begin: u64,
) -> Span {
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
        trace_state: tracestate(trace),
        flags: SAMPLED | remote | is_remote,
        name: span_name(record, trace, model),
        kind: SpanKind::Server.into(),
        start_time_unix_nano: begin,
        end_time_unix_nano: add_nanos(begin, record.total),
        attributes: span_attributes(record, trace, model, id),
        status: error_status(record),
        ..Span::default()
    }
}

/// Returns the span of one phase of a request.
fn phase_span(phase: RequestPhase, trace: &Trace, begin: u64) -> Span {
    Span {
        trace_id: trace.id.to_vec(),
        span_id: new_span().to_vec(),
        parent_span_id: trace.span.to_vec(),
        trace_state: tracestate(trace),
        flags: SAMPLED | SpanFlags::ContextHasIsRemoteMask as u32,
        name: phase.name.to_owned(),
        kind: SpanKind::Internal.into(),
        start_time_unix_nano: add_nanos(begin, phase.from),
        end_time_unix_nano: add_nanos(begin, phase.to),
        ..Span::default()
    }
}

fn tracestate(trace: &Trace) -> String {
    trace.state.as_deref().unwrap_or_default().to_owned()
}

/// Returns `chat gemma` for inference, else an HTTP span name: `GET /slots`.
fn span_name(record: &RequestRecord, trace: &Trace, model: Option<&str>) -> String {
    let operation =
        Operation::from_route(record.route).map(|operation| (operation.as_str(), model));
    match (operation, usual_path(record.route)) {
        (Some((operation, Some(model))), _) => format!("{operation} {model}"),
        (Some((operation, None)), _) => operation.to_owned(),
        (None, Some(path)) => format!("{} {path}", trace.method),
        // Required by OpenTelemetry's HTTP conventions.
        (None, None) if trace.method == "_OTHER" => "HTTP".to_owned(),
        (None, None) => trace.method.to_owned(),
    }
}

fn span_attributes(
    record: &RequestRecord,
    trace: &Trace,
    model: Option<&str>,
    id: &[u8],
) -> Vec<KeyValue> {
    let usage = record.usage;
    let operation = Operation::from_route(record.route);
    let reason = error_type(record);
    [
        operation.map(|operation| text_attribute("gen_ai.operation.name", operation.as_str())),
        model.map(|_| text_attribute("gen_ai.provider.name", PROVIDER)),
        model.map(|model| text_attribute("gen_ai.request.model", model)),
        usage
            .prompt_tokens
            .map(|count| integer_attribute("gen_ai.usage.input_tokens", count)),
        usage
            .cached_tokens
            .map(|count| integer_attribute("gen_ai.usage.cache_read.input_tokens", count)),
        usage
            .generated_tokens
            .map(|count| integer_attribute("gen_ai.usage.output_tokens", count)),
        Some(text_attribute("http.request.method", trace.method)),
        usual_path(record.route).map(|path| text_attribute("http.route", path)),
        record
            .status
            .map(|status| integer_attribute("http.response.status_code", status.into())),
        Some(integer_attribute("http.request.body.size", record.bytes_in)),
        Some(integer_attribute(
            "http.response.body.size",
            record.bytes_out,
        )),
        reason.map(|reason| text_attribute("error.type", reason)),
        Some(text_attribute(
            "paddock.request.id",
            String::from_utf8_lossy(id),
        )),
        Some(text_attribute("paddock.outcome", record.outcome.as_str())),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Returns the usual path of a route.
fn usual_path(route: Route) -> Option<&'static str> {
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

/// Returns an error if the server is to blame, as OpenTelemetry's HTTP conventions define it.
fn error_status(record: &RequestRecord) -> Option<Status> {
    let failed = is_upstream_error(record) || record.status.is_some_and(|status| status >= 500);
    failed.then(|| Status {
        code: StatusCode::Error.into(),
        message: String::new(),
    })
}

/// Returns true if the child failed, before its answer or within it.
fn is_upstream_error(record: &RequestRecord) -> bool {
    record.outcome == Outcome::UpstreamError
}

fn error_type(record: &RequestRecord) -> Option<String> {
    let status = record.status.filter(|status| *status >= 500);
    match (record.error, status) {
        (Some(kind), _) => Some(kind.to_owned()),
        (None, Some(status)) => Some(status.to_string()),
        (None, None) => is_upstream_error(record).then(|| record.outcome.as_str().to_owned()),
    }
}

/// Converts a wall-clock time to nanoseconds since 1970.
pub(super) fn unix_nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    add_nanos(0, since.unwrap_or_default())
}

fn add_nanos(time: u64, by: Duration) -> u64 {
    time.saturating_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
