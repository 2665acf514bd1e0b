//! Generates the made-up text: waits for a slot, then produces tokens at the configured pace,
//! streamed or in one response.

use std::io;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::clock;
use super::connection::{AfterExchange, Exchange};
use super::crash::CrashPoint;
use super::dialect::{Dialect, Tally};
use super::fake_args::Hang;
use super::generation_job::GenerationJob;
use super::response::Response;
use super::result_signal::WakeReason;
use super::server::Server;
use super::slots::Slot;
use super::sockets::Socket;

/// Answers a request for text.
pub(super) fn generate(
    exchange: &mut Exchange<'_, '_>,
    dialect: Dialect,
    request: &Value,
) -> io::Result<AfterExchange> {
    let server = exchange.server;
    let mut job = match GenerationJob::new(server, dialect, request) {
        Ok(job) => job,
        Err(message) => return exchange.reply(&dialect.invalid(&message)),
    };
    let Some(slot) = wait_for_slot(server, exchange.socket, &mut job) else {
        return Ok(AfterExchange::End);
    };
    job.cached_tokens = slot.cached;
    let _running = server.counters.generations.hold();
    server.crash_at(CrashPoint::Head);
    if job.stream {
        stream(exchange, dialect, &job, slot)
    } else {
        whole(exchange, dialect, &job, slot)
    }
}

/// Waits for a slot; returns `None` if the client has left.
fn wait_for_slot(server: &Server, socket: &Socket, job: &mut GenerationJob) -> Option<Slot> {
    let prompt = std::mem::take(&mut job.prompt);
    let turn = server.slots.queue(prompt, job.wanted_slot);
    let _deferred = server.counters.deferred.hold();
    let mut seen = server.results.count();
    loop {
        // The inference thread assigns slots, and it ends first.
        if !server.is_stopping()
            && let Some(slot) = turn.take()
        {
            return Some(slot);
        }
        match server.results.wait(seen, None) {
            WakeReason::Result(count) => seen = count,
            WakeReason::Due | WakeReason::Quiet => {
                if socket.client_is_gone() {
                    return None;
                }
            }
        }
    }
}

fn whole(
    exchange: &mut Exchange<'_, '_>,
    dialect: Dialect,
    job: &GenerationJob,
    slot: Slot,
) -> io::Result<AfterExchange> {
    let server = exchange.server;
    let start = clock::now();
    let pace = server.args.token_pace;
    let mut due = start + pace * u32::try_from(job.tokens).unwrap_or(u32::MAX);
    loop {
        match pause(server, exchange.socket, due, None) {
            Pause::Over if server.is_held() => due = clock::now() + HOLD_POLL_INTERVAL,
            Pause::Over => break,
            Pause::Gone | Pause::Ping => return Ok(AfterExchange::End),
        }
    }
    let tally = Tally::new(job, start, slot.id);
    slot.finish(job.tokens);
    exchange.reply(&Response::json(dialect.whole(job, &tally)))
}

fn stream(
    exchange: &mut Exchange<'_, '_>,
    dialect: Dialect,
    job: &GenerationJob,
    slot: Slot,
) -> io::Result<AfterExchange> {
    let (server, socket) = (exchange.server, exchange.socket);
    let chunks = exchange.stream()?;
    let start = clock::now();
    let mut due = start;
    for number in 1..=job.tokens {
        due += server.args.token_pace;
        loop {
            match pause(
                server,
                socket,
                due,
                job.ping.map(|ping| clock::now() + ping),
            ) {
                Pause::Over if number == job.tokens && server.is_held() => {
                    due += HOLD_POLL_INTERVAL;
                }
                Pause::Over => break,
                Pause::Ping => chunks.write(b":\n\n")?,
                Pause::Gone => return Ok(AfterExchange::End),
            }
            // A stopping server checks only at this point and ends the stream without its last
            // chunk.
            if server.is_stopping() {
                return Ok(AfterExchange::End);
            }
        }
        chunks.write(dialect.event(job, number).as_bytes())?;
        server.results.announce();
        server.crash_at(CrashPoint::MidStream(number));
        if server.args.hang == Some(Hang::Stream) {
            return Ok(hang(server, socket));
        }
    }
    let tally = Tally::new(job, start, slot.id);
    slot.finish(job.tokens);
    chunks.write(dialect.last(job, &tally).as_bytes())?;
    chunks.write(dialect.done().as_bytes())?;
    chunks.finish()
}

/// Interval between checks for the file that releases a token.
const HOLD_POLL_INTERVAL: Duration = Duration::from_millis(10);

/// The end of a wait for the next token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pause {
    Over,
    /// The client has left.
    Gone,
    /// A keep-alive comment is due.
    Ping,
}

/// Waits until a token is due; forever once the server stops.
fn pause(server: &Server, socket: &Socket, due: Instant, ping: Option<Instant>) -> Pause {
    let mut seen = server.results.count();
    loop {
        let due = (!server.is_stopping()).then_some(due);
        match server.results.wait(seen, due) {
            WakeReason::Result(count) => seen = count,
            WakeReason::Due => return Pause::Over,
            WakeReason::Quiet => {
                if socket.client_is_gone() {
                    return Pause::Gone;
                }
                if ping.is_some_and(|ping| clock::now() > ping) {
                    return Pause::Ping;
                }
            }
        }
    }
}

/// Waits without answering until the client leaves.
pub(super) fn hang(server: &Server, socket: &Socket) -> AfterExchange {
    while !socket.client_is_gone() {
        server.results.wait(server.results.count(), None);
    }
    AfterExchange::End
}
