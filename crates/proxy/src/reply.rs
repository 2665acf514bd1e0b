use super::buffer::Buffer;
use super::client::{After, Client};
use super::origin;
use super::request::{Request, SILENCE};
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

/// Answers a request in the model's place, or ends the stream that has begun while it waited. The connection goes
/// on if all of the request has been read.
pub(super) async fn instead(
    worker: &Worker,
    client: &mut Client,
    request: &mut Request,
    error: &ProxyError,
) -> After {
    let closes = request.head.close
        || !request.body.is_complete()
        || worker.phase() != ServicePhase::Serving;
    request.give_back(worker);
    if let Some(early) = request.early.take() {
        return early.end(client, error, request.dialect, closes).await;
    }
    let mut head = head_of(error.status());
    let body = error.body(request.dialect).to_string();
    push_error_fields(&mut head, error);
    let (payload, sent) = if request.to_head {
        (Payload::Head(Some(body.len() as u64)), 0)
    } else {
        (Payload::Body(body.as_bytes()), body.len())
    };
    if matches!(error, ProxyError::NotLoaded { .. }) {
        // Nothing was refused to anybody who uses the model: alerts on refusals would tell of a model that is idle.
        client.record.set_own_answer(error.status(), sent);
    } else {
        client.record.set_refusal(error, sent);
    }
    write(worker, client, head, payload, closes).await
}

/// Answers what is not a request that can be passed on, and closes.
pub(super) async fn refuse(worker: &Worker, client: &mut Client, error: &ProxyError) -> After {
    origin::admit_malformed(worker, client);
    if client.id_line.is_empty() {
        let head = client.ahead.as_ref().map_or(&[][..], Buffer::bytes);
        worker.ids.write_refused_line(head, &mut client.id_line);
    }
    client.give_back_ahead(worker);
    let first = client.watchdog.last();
    client.record.begin(first, Route::Other, &client.id_line);
    client.record.start_trace(b"");
    let mut head = head_of(error.status());
    let body = error.body(Dialect::OpenAi).to_string();
    push_error_fields(&mut head, error);
    client.record.set_refusal(error, body.len());
    write(worker, client, head, Payload::Body(body.as_bytes()), true).await
}

/// Returns the event that tells of an error in a stream.
pub(super) fn error_event(dialect: Dialect, error: &Value) -> String {
    let name = match dialect {
        Dialect::OpenAi => "",
        Dialect::Anthropic => "event: error\n",
    };
    format!("{name}data: {error}\n\n")
}

/// The status line.
pub(super) fn head_of(status: u16) -> String {
    let reason = StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("");
    format!("HTTP/1.1 {status} {reason}\r\n")
}

fn push_error_fields(head: &mut String, error: &ProxyError) {
    tracing::debug!(kind = error.kind(), %error, "refused");
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

/// The content of an answer of paddock's own.
#[derive(Debug, Clone, Copy)]
pub(super) enum Payload<'a> {
    Body(&'a [u8]),
    /// An answer to HEAD: only the length that the answer to GET would have, if that is known
    /// (RFC 9110 §9.3.2).
    Head(Option<u64>),
}

/// Writes an answer whose head lacks its length, its name, and whether the connection closes.
pub(super) async fn write(
    worker: &Worker,
    client: &mut Client,
    mut head: String,
    payload: Payload<'_>,
    closes: bool,
) -> After {
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
    worker.pool.give(out);
    conclude(client, written, closes)
}

/// What follows an answer of paddock's own that the client took, or did not.
pub(super) fn conclude(client: &mut Client, written: bool, closes: bool) -> After {
    if written {
        client.record.finish(Instant::now());
    } else {
        client.record.finish_client_left();
    }
    match written {
        false => After::Drop,
        true if closes => After::Linger,
        true => After::Next,
    }
}

/// Whether the client took it all.
async fn write_out(client: &mut Client, out: &mut Buffer) -> bool {
    client.watchdog.look();
    client.watchdog.progress();
    poll_fn(|cx| match out.poll_write_all(&mut client.stream, cx) {
        Poll::Ready(written) => Poll::Ready(written.is_ok()),
        Poll::Pending => {
            client.watchdog.look();
            client.watchdog.poll_silent(SILENCE, cx).map(|()| false)
        }
    })
    .await
}
