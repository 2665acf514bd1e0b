use super::buffer::Buffer;
use super::client::{After, Client};
use super::origin;
use super::request::{Request, SILENCE};
use super::worker::Worker;
use crate::error::{Dialect, ProxyError};
use crate::runtime::Phase;
use crate::telemetry::Route;
use http::StatusCode;
use std::fmt::Write as _;
use std::future::poll_fn;
use std::task::Poll;
use tokio::time::Instant;

/// Answers a request in the model's place. The connection goes on if all of the request has
/// been read.
pub(super) async fn instead(
    worker: &Worker,
    client: &mut Client,
    request: &mut Request,
    error: &ProxyError,
) -> After {
    let closes =
        request.head.close || !request.body.is_complete() || worker.phase() != Phase::Serving;
    request.give_back(worker);
    let mut head = head_of(error.status());
    let body = error.body(request.dialect).to_string();
    push_error_fields(&mut head, error);
    let to_head = request.to_head;
    client
        .record
        .refuses(error, if to_head { 0 } else { body.len() });
    write(worker, client, head, body.as_bytes(), to_head, closes).await
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
    client.record.trace(b"");
    let mut head = head_of(error.status());
    let body = error.body(Dialect::OpenAi).to_string();
    push_error_fields(&mut head, error);
    client.record.refuses(error, body.len());
    write(worker, client, head, body.as_bytes(), false, true).await
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
    if let Some(seconds) = error.retry_after() {
        let _ = write!(head, "Retry-After: {seconds}\r\n");
    }
}

/// Writes an answer whose head lacks its length, its name, and whether the connection closes.
pub(super) async fn write(
    worker: &Worker,
    client: &mut Client,
    mut head: String,
    body: &[u8],
    to_head: bool,
    closes: bool,
) -> After {
    let _ = write!(head, "Content-Length: {}\r\n", body.len());
    if closes {
        head.push_str("Connection: close\r\n");
    }
    let mut out = worker.pool.take();
    out.extend(head.as_bytes());
    out.extend(&client.cors_lines);
    out.extend(&client.id_line);
    out.extend(b"\r\n");
    if !to_head {
        out.extend(body);
    }
    let written = write_out(client, &mut out).await;
    worker.pool.give(out);
    if written {
        client.record.passed(Instant::now());
    } else {
        client.record.client_left();
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
