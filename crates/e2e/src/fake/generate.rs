//! Generation: a slot, then tokens at their pace, streamed or all at once.

use std::io;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::args::Hang;
use super::clock;
use super::connection::{Exchange, Next};
use super::dialect::{Dialect, Tally};
use super::die::Point;
use super::job::Job;
use super::net::Socket;
use super::response::Response;
use super::results::Wake;
use super::server::Server;
use super::slots::Slot;

/// Answers a request for text.
pub(super) fn generate(
    exchange: &mut Exchange<'_, '_>,
    dialect: Dialect,
    request: &Value,
) -> io::Result<Next> {
    let server = exchange.server;
    let job = match Job::new(server, dialect, request) {
        Ok(job) => job,
        Err(message) => return exchange.reply(&Response::invalid(&message)),
    };
    let Some(slot) = wait_for_slot(server, exchange.socket) else {
        return Ok(Next::End);
    };
    let _running = server.counters.generations.hold();
    server.die_at(Point::Head);
    if job.stream {
        stream(exchange, dialect, &job, slot)
    } else {
        whole(exchange, dialect, &job, slot)
    }
}

/// None: the client has left.
fn wait_for_slot(server: &Server, socket: &Socket) -> Option<Slot> {
    let turn = server.slots.queue();
    let _deferred = server.counters.deferred.hold();
    let mut seen = server.results.count();
    loop {
        // Who gives out slots is the inference thread, and it ends first.
        if !server.is_stopping()
            && let Some(slot) = turn.take()
        {
            return Some(slot);
        }
        match server.results.wait(seen, None) {
            Wake::Result(count) => seen = count,
            Wake::Due | Wake::Quiet => {
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
    job: &Job,
    slot: Slot,
) -> io::Result<Next> {
    let server = exchange.server;
    let start = clock::now();
    let pace = server.args.token_pace;
    let mut due = start + pace * u32::try_from(job.tokens).unwrap_or(u32::MAX);
    loop {
        match pause(server, exchange.socket, due, None) {
            Pause::Over if server.is_held() => due = clock::now() + HELD_FOR,
            Pause::Over => break,
            Pause::Gone | Pause::Ping => return Ok(Next::End),
        }
    }
    let tally = Tally::new(job, start, slot.id);
    drop(slot);
    exchange.reply(&Response::json(dialect.whole(job, &tally)))
}

fn stream(
    exchange: &mut Exchange<'_, '_>,
    dialect: Dialect,
    job: &Job,
    slot: Slot,
) -> io::Result<Next> {
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
                Pause::Over if number == job.tokens && server.is_held() => due += HELD_FOR,
                Pause::Over => break,
                Pause::Ping => chunks.write(b":\n\n")?,
                Pause::Gone => return Ok(Next::End),
            }
            // A server that stops looks only now, and cuts the stream without its last chunk.
            if server.is_stopping() {
                return Ok(Next::End);
            }
        }
        chunks.write(dialect.event(job, number).as_bytes())?;
        server.results.announce();
        server.die_at(Point::MidStream(number));
        if server.args.hang == Some(Hang::Stream) {
            return Ok(hang(server, socket));
        }
    }
    let tally = Tally::new(job, start, slot.id);
    drop(slot);
    chunks.write(dialect.last(job, &tally).as_bytes())?;
    chunks.write(dialect.done().as_bytes())?;
    chunks.finish()
}

/// How long a token that is held back waits before the file is looked for again.
const HELD_FOR: Duration = Duration::from_millis(10);

/// What ended a wait for the next token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pause {
    Over,
    /// The client was seen to have left.
    Gone,
    /// A comment has to be sent.
    Ping,
}

/// Waits until a token is due. Once the server stops none ever is.
fn pause(server: &Server, socket: &Socket, due: Instant, ping: Option<Instant>) -> Pause {
    let mut seen = server.results.count();
    loop {
        let due = (!server.is_stopping()).then_some(due);
        match server.results.wait(seen, due) {
            Wake::Result(count) => seen = count,
            Wake::Due => return Pause::Over,
            Wake::Quiet => {
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

/// Answers nothing more, until the client leaves.
pub(super) fn hang(server: &Server, socket: &Socket) -> Next {
    while !socket.client_is_gone() {
        server.results.wait(server.results.count(), None);
    }
    Next::End
}
