//! Writes the responses that paddock sends itself: errors, and the bytes of its own routes, such as
//! `/health`.

use super::buffer::Buffer;
use super::client::{Client, NextStep};
use super::cors;
use super::exchange::Exchange;
use super::request::SILENCE_TIMEOUT;
use super::worker::Worker;
use http::StatusCode;
use paddock_admission::error::{Dialect, ProxyError};
use paddock_admission::phase::ServicePhase;
use paddock_telemetry::Route;
use serde_json::Value;
use std::fmt::Write as _;
use std::future::poll_fn;
use std::task::Poll;
use tokio::time::Instant;

/// Sends an error in place of the model's response. If the client has an early stream already (a response begun
/// while the request waited), ends that stream with the error. Keeps the connection open if the whole request
/// has been read.
pub(super) async fn send_error(exchange: &mut Exchange<'_>, error: &ProxyError) -> NextStep {
    let Exchange {
        worker,
        client,
        request,
        ..
    } = exchange;
    let closes = request.head.close
        || !request.body.is_complete()
        || worker.phase() != ServicePhase::Serving;
    request.release_buffers();
    if let Some(early) = request.early_stream.take() {
        return early.end(client, error, request.dialect, closes).await;
    }
    let mut head = status_line(error.status());
    let body = error.body(request.dialect).to_string();
    push_error_fields(&mut head, error);
    let (payload, sent) = if request.is_head {
        (Payload::Head(Some(body.len() as u64)), 0)
    } else {
        (Payload::Body(body.as_bytes()), body.len())
    };
    if matches!(error, ProxyError::NotLoaded { .. }) {
        // Not counted as a refusal: alerts on refusals would fire for a model that is merely idle.
        client.record.set_own_answer(error.status(), sent);
    } else {
        client.record.set_refusal(error, sent);
    }
    write(worker, client, head, payload, closes).await
}

/// Answers a malformed request and closes.
pub(super) async fn refuse_malformed(
    worker: &Worker,
    client: &mut Client,
    error: &ProxyError,
) -> NextStep {
    cors::allow_for_malformed(worker, client);
    if client.id_line.is_empty() {
        let head = client.read_ahead.as_ref().map_or(&[][..], Buffer::bytes);
        worker.ids.write_line_for_refused(head, &mut client.id_line);
    }
    client.read_ahead = None;
    let first = client.timer.last_progress();
    client.record.begin(first, Route::Other, &client.id_line);
    client.record.start_trace(b"");
    let mut head = status_line(error.status());
    let body = error.body(Dialect::OpenAi).to_string();
    push_error_fields(&mut head, error);
    client.record.set_refusal(error, body.len());
    write(worker, client, head, Payload::Body(body.as_bytes()), true).await
}

/// Returns the stream event for an error.
pub(super) fn error_event(dialect: Dialect, error: &Value) -> String {
    let name = match dialect {
        Dialect::OpenAi => "",
        Dialect::Anthropic => "event: error\n",
    };
    format!("{name}data: {error}\n\n")
}

/// Returns the status line.
pub(super) fn status_line(status: u16) -> String {
    let reason = StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("");
    format!("HTTP/1.1 {status} {reason}\r\n")
}

fn push_error_fields(head: &mut String, error: &ProxyError) {
    tracing::debug!(kind = error.kind(), %error, "request refused");
    head.push_str("Content-Type: application/json; charset=utf-8\r\n");
    // Writing to a string does not fail.
    let _ = write!(head, "x-paddock-error: {}\r\n", error.kind());
    if error.status() == 401 {
        // RFC 9110 §11.6.1
        head.push_str("WWW-Authenticate: Bearer\r\n");
    }
    if error.status() == 415 {
        // RFC 9110 §15.5.16
        head.push_str("Accept-Encoding: identity\r\n");
    }
    if let Some(seconds) = error.retry_after() {
        let _ = write!(head, "Retry-After: {seconds}\r\n");
    }
}

/// Content of a local reply.
#[derive(Debug, Clone, Copy)]
pub(super) enum Payload<'a> {
    Body(&'a [u8]),
    /// Response to HEAD: only the length that GET would return, if known (RFC 9110 §9.3.2).
    Head(Option<u64>),
}

/// Completes a head with length, request id and `Connection`, and writes the response.
pub(super) async fn write(
    worker: &Worker,
    client: &mut Client,
    mut head: String,
    payload: Payload<'_>,
    closes: bool,
) -> NextStep {
    let (body, length) = match payload {
        Payload::Body(body) => (body, Some(body.len() as u64)),
        Payload::Head(length) => (&[][..], length),
    };
    if let Some(length) = length {
        let _ = write!(head, "Content-Length: {length}\r\n");
    }
    if closes {
        head.push_str("Connection: close\r\n");
    }
    let mut out = worker.pool.take();
    out.extend(head.as_bytes());
    out.extend(&client.cors_lines);
    out.extend(&client.id_line);
    out.extend(b"\r\n");
    out.extend(body);
    let written = write_out(client, &mut out).await;
    drop(out);
    finish(client, written, closes)
}

/// Records the end of a local reply. Returns what happens to the connection.
pub(super) fn finish(client: &mut Client, written: bool, closes: bool) -> NextStep {
    if written {
        client.record.finish(Instant::now());
    } else {
        client.record.finish_client_left();
    }
    match written {
        false => NextStep::Drop,
        true if closes => NextStep::Linger,
        true => NextStep::KeepOpen,
    }
}

/// Writes all of `out`. Returns true if the client took it.
async fn write_out(client: &mut Client, out: &mut Buffer) -> bool {
    client.timer.read_clock();
    client.timer.record_progress();
    poll_fn(|cx| match out.poll_write_all(&mut client.stream, cx) {
        Poll::Ready(written) => Poll::Ready(written.is_ok()),
        Poll::Pending => {
            client.timer.read_clock();
            client
                .timer
                .poll_silent(SILENCE_TIMEOUT, cx)
                .map(|()| false)
        }
    })
    .await
}
