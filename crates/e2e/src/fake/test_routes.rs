//! Routes under `/__fake/` that serve the tests and have no counterpart in the real server.

use std::io;
use std::time::Duration;

use super::connection::{AfterExchange, Exchange};
use super::crash;
use super::log_lines;
use super::response::Response;
use super::result_signal::WakeReason;
use super::sandbox_probe;

/// Payload size of each event of `/__fake/stall-stream`.
const STALL_EVENT: usize = 64 << 10;

/// Answers a request to a test route, before or after the load.
pub(super) fn answer(exchange: &mut Exchange<'_, '_>) -> io::Result<AfterExchange> {
    match exchange.head.path.as_str() {
        "/__fake/echo" => echo(exchange),
        "/__fake/respond" => respond(exchange),
        "/__fake/state" => {
            let state = exchange.server.counters.to_json();
            exchange.reply(&Response::json(state))
        }
        "/__fake/loot" => {
            let loot = exchange.server.loot.to_json();
            exchange.reply(&Response::json(loot))
        }
        "/__fake/try" => {
            let came = sandbox_probe::json(&exchange.head.query);
            exchange.reply(&Response::json(came.to_string()))
        }
        "/__fake/stall-stream" => stall_stream(exchange),
        "/__fake/pushed-stream" => pushed_stream(exchange),
        "/__fake/push" => {
            exchange.server.pushes.announce();
            exchange.reply(&Response::bare(200))
        }
        "/__fake/hang" => {
            let reply = exchange.reply(&Response::bare(200));
            exchange.server.hang();
            reply
        }
        path => {
            if let Some(how) = path.strip_prefix("/__fake/die/") {
                crash::now(how);
            }
            if let Some(seconds) = path.strip_prefix("/__fake/flood/") {
                return flood(exchange, seconds.parse().unwrap_or(0.0));
            }
            exchange.reply(&Response::not_found())
        }
    }
}

/// Answers with the bytes of the request.
fn echo(exchange: &mut Exchange<'_, '_>) -> io::Result<AfterExchange> {
    match exchange.body() {
        Ok(body) => {
            let mut bytes = exchange.head.raw.clone();
            bytes.extend_from_slice(&body.raw);
            exchange.reply(&Response::new(200, "application/octet-stream", bytes))
        }
        Err(status) => exchange.reply(&Response::bare(status)),
    }
}

fn respond(exchange: &mut Exchange<'_, '_>) -> io::Result<AfterExchange> {
    let body = match exchange.body() {
        Ok(body) => body,
        Err(status) => return exchange.reply(&Response::bare(status)),
    };
    exchange.socket.write_all(body.content())?;
    let close = exchange.head.field("x-fake-close") == Some("1");
    Ok(if close {
        AfterExchange::End
    } else {
        AfterExchange::Request
    })
}

fn flood(exchange: &mut Exchange<'_, '_>, seconds: f64) -> io::Result<AfterExchange> {
    let (lines, bytes) = log_lines::pour(Duration::try_from_secs_f64(seconds).unwrap_or_default());
    let written = format!(r#"{{"lines":{lines},"bytes":{bytes}}}"#);
    exchange.reply(&Response::json(written))
}

fn stall_stream(exchange: &mut Exchange<'_, '_>) -> io::Result<AfterExchange> {
    let server = exchange.server;
    let mut event = b"data: ".to_vec();
    event.resize(STALL_EVENT - 2, b'x');
    event.extend_from_slice(b"\n\n");
    let chunks = exchange.stream()?;
    while !server.is_stopping() {
        chunks.write(&event)?;
    }
    Ok(AfterExchange::End)
}

fn pushed_stream(exchange: &mut Exchange<'_, '_>) -> io::Result<AfterExchange> {
    let server = exchange.server;
    let socket = exchange.socket;
    let mut seen = server.pushes.count();
    let chunks = exchange.stream()?;
    while !server.is_stopping() {
        match server.pushes.wait(seen, None) {
            WakeReason::Result(count) => {
                chunks.write(format!("data: {count}\n\n").as_bytes())?;
                seen = count;
            }
            WakeReason::Due | WakeReason::Quiet if socket.client_is_gone() => break,
            WakeReason::Due | WakeReason::Quiet => {}
        }
    }
    Ok(AfterExchange::End)
}
