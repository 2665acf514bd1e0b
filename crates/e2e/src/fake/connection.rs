//! Serves the requests of one connection and decides when it ends.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::clock;
use super::request_body::{RequestBody, RequestFraming};
use super::request_head::{HeadError, Incoming, RequestHead};
use super::response::{HeadFacts, Response, stream_head};
use super::routes;
use super::server::Server;
use super::sockets::Socket;

/// Idle time after which a connection is closed.
const IDLE_LIMIT: Duration = Duration::from_secs(5);
/// Interval at which an idle connection checks for the server's stop.
const IDLE_TICK: Duration = Duration::from_millis(10);
/// Limit on requests per connection; the last response has `Connection: close`.
const MAX_REQUESTS: usize = 100;

/// Serves a connection until it ends.
pub(super) fn serve(server: &Arc<Server>, socket: &Socket) {
    let mut incoming = Incoming::new(socket);
    for left in (1..=MAX_REQUESTS).rev() {
        if incoming.buffered().is_empty() && !request_comes(server, socket) {
            break;
        }
        match exchange(server, socket, &mut incoming, left == 1) {
            Ok(AfterExchange::Request) => {}
            Ok(AfterExchange::End) | Err(_) => break,
        }
    }
    socket.close();
}

/// The next step of a connection after an exchange: wait for another request, or end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AfterExchange {
    Request,
    End,
}

/// Waits for the next request; returns false if the connection is idle for too long or the server
/// stops.
fn request_comes(server: &Server, socket: &Socket) -> bool {
    let start = clock::now();
    loop {
        if socket.readable_within(IDLE_TICK) {
            return true;
        }
        if server.is_stopping() || start.elapsed() > IDLE_LIMIT {
            return false;
        }
    }
}

/// Reads one request and answers it.
fn exchange(
    server: &Arc<Server>,
    socket: &Socket,
    incoming: &mut Incoming<'_>,
    last: bool,
) -> io::Result<AfterExchange> {
    let head = match RequestHead::read(incoming) {
        Ok(head) => head,
        Err(HeadError::Closed) => return Ok(AfterExchange::End),
        Err(HeadError::Refused(status)) => return refuse(socket, status),
    };
    let Some(framing) = RequestFraming::from_head(&head) else {
        return refuse(socket, 400);
    };
    let _running = server.counters.request(&head);
    let mut exchange = Exchange {
        server,
        socket,
        incoming,
        close: last || head.asks_to_close(),
        awaits_continue: head.expects_continue() && framing != RequestFraming::None,
        unread: framing,
        head,
    };
    let next = routes::answer(&mut exchange)?;
    if next == AfterExchange::End || exchange.head.closes_by_version() {
        return Ok(AfterExchange::End);
    }
    exchange.drop_unread_body();
    Ok(if exchange.close {
        AfterExchange::End
    } else {
        AfterExchange::Request
    })
}

/// Answers a malformed head.
fn refuse(socket: &Socket, status: u16) -> io::Result<AfterExchange> {
    let facts = HeadFacts {
        origin: None,
        is_head: false,
        close: true,
    };
    socket.write_all(&Response::bare(status).to_bytes(facts))?;
    Ok(AfterExchange::End)
}

/// A request being answered.
#[derive(Debug)]
pub(super) struct Exchange<'a, 'b> {
    pub(super) server: &'a Arc<Server>,
    pub(super) socket: &'a Socket,
    pub(super) head: RequestHead,
    incoming: &'a mut Incoming<'b>,
    close: bool,
    awaits_continue: bool,
    unread: RequestFraming,
}

impl Exchange<'_, '_> {
    /// Reads the body, after `100 Continue` if the client waits for it.
    ///
    /// The error is the status of the response.
    pub(super) fn body(&mut self) -> Result<RequestBody, u16> {
        if std::mem::take(&mut self.awaits_continue) {
            let invited = self.socket.write_all(b"HTTP/1.1 100 Continue\r\n\r\n");
            invited.map_err(|_| 400_u16)?;
        }
        RequestBody::read(
            self.incoming,
            std::mem::replace(&mut self.unread, RequestFraming::None),
        )
    }

    /// Sends a response.
    pub(super) fn reply(&mut self, response: &Response) -> io::Result<AfterExchange> {
        // After an error the rest of the client's bytes is unknown.
        self.close |= response.status >= 400 || self.awaits_continue;
        let bytes = response.to_bytes(self.facts());
        self.socket.write_all(&bytes)?;
        Ok(AfterExchange::Request)
    }

    /// Starts a stream and returns the writer of its chunks.
    pub(super) fn stream(&mut self) -> io::Result<Chunks<'_>> {
        self.socket.write_all(&stream_head(self.facts()))?;
        Ok(Chunks {
            socket: self.socket,
            bytes: self.server.counters.stream(),
        })
    }

    fn facts(&self) -> HeadFacts<'_> {
        HeadFacts {
            origin: Some(self.head.field("Origin").unwrap_or_default()),
            is_head: self.head.method == "HEAD",
            close: self.close,
        }
    }

    /// Discards the rest of a body, which must not be read as the next request.
    fn drop_unread_body(&mut self) {
        if self.close || self.unread == RequestFraming::None {
            return;
        }
        let unread = std::mem::replace(&mut self.unread, RequestFraming::None);
        self.close = RequestBody::read(self.incoming, unread).is_err();
    }
}

/// Writes the chunks of a stream and counts the bytes that the socket accepts.
#[derive(Debug)]
pub(super) struct Chunks<'a> {
    socket: &'a Socket,
    bytes: super::counters::StreamBytes,
}

impl Chunks<'_> {
    /// Writes one chunk; fails once the client has left.
    pub(super) fn write(&self, payload: &[u8]) -> io::Result<()> {
        if self.socket.client_is_gone() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if payload.is_empty() {
            return Ok(());
        }
        let mut chunk = format!("{:x}\r\n", payload.len()).into_bytes();
        chunk.extend_from_slice(payload);
        chunk.extend_from_slice(b"\r\n");
        self.write_counted(&chunk)
    }

    /// Ends the body. The real server closes the connection of every stream at its end, although
    /// the head announced HTTP keep-alive.
    pub(super) fn finish(self) -> io::Result<AfterExchange> {
        self.write_counted(b"0\r\n\r\n")?;
        Ok(AfterExchange::End)
    }

    fn write_counted(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let taken = self.socket.write(bytes)?;
            self.bytes.add(taken);
            bytes = &bytes[taken..];
        }
        Ok(())
    }
}
