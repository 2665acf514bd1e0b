//! One connection: its requests one after the other, and when it ends.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::body::{Body, Framing};
use super::clock;
use super::net::Socket;
use super::request::{Head, Incoming, NoHead};
use super::response::{HeadFacts, Response, stream_head};
use super::routes;
use super::server::Server;

/// A connection without a request for this long is closed.
const IDLE_LIMIT: Duration = Duration::from_secs(5);
/// How often an idle connection looks whether the server stops.
const IDLE_TICK: Duration = Duration::from_millis(10);
/// The answer to the last of these says `Connection: close`.
const MOST_REQUESTS: usize = 100;

/// Serves a connection until it ends.
pub(super) fn serve(server: &Arc<Server>, socket: &Socket) {
    let mut incoming = Incoming::new(socket);
    for left in (1..=MOST_REQUESTS).rev() {
        if incoming.buffered().is_empty() && !request_comes(server, socket) {
            break;
        }
        match exchange(server, socket, &mut incoming, left == 1) {
            Ok(Next::Request) => {}
            Ok(Next::End) | Err(_) => break,
        }
    }
    socket.close();
}

/// What follows an exchange on its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Request,
    End,
}

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

fn exchange(
    server: &Arc<Server>,
    socket: &Socket,
    incoming: &mut Incoming<'_>,
    last: bool,
) -> io::Result<Next> {
    let head = match Head::read(incoming) {
        Ok(head) => head,
        Err(NoHead::Gone) => return Ok(Next::End),
        Err(NoHead::Refused(status)) => return refuse(socket, status),
    };
    let Some(framing) = Framing::of(&head) else {
        return refuse(socket, 400);
    };
    let _running = server.counters.request(&head);
    let mut exchange = Exchange {
        server,
        socket,
        incoming,
        close: last || head.asks_to_close(),
        awaits_continue: head.expects_continue() && framing != Framing::None,
        unread: framing,
        head,
    };
    let next = routes::answer(&mut exchange)?;
    if next == Next::End || exchange.head.closes_by_version() {
        return Ok(Next::End);
    }
    exchange.drop_unread_body();
    Ok(if exchange.close {
        Next::End
    } else {
        Next::Request
    })
}

/// Answers what no route was looked for: a head that is not understood.
fn refuse(socket: &Socket, status: u16) -> io::Result<Next> {
    let facts = HeadFacts {
        origin: None,
        is_head: false,
        close: true,
    };
    socket.write_all(&Response::bare(status).to_bytes(facts))?;
    Ok(Next::End)
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct Exchange<'a, 'b> {
    pub(super) server: &'a Arc<Server>,
    pub(super) socket: &'a Socket,
    pub(super) head: Head,
    incoming: &'a mut Incoming<'b>,
    close: bool,
    awaits_continue: bool,
    unread: Framing,
}

impl Exchange<'_, '_> {
    /// Reads the body, inviting it first where the client waits for that.
    ///
    /// The error is the status of the answer, which is then all that is left to do.
    pub(super) fn body(&mut self) -> Result<Body, u16> {
        if std::mem::take(&mut self.awaits_continue) {
            let invited = self.socket.write_all(b"HTTP/1.1 100 Continue\r\n\r\n");
            invited.map_err(|_| 400_u16)?;
        }
        Body::read(
            self.incoming,
            std::mem::replace(&mut self.unread, Framing::None),
        )
    }

    /// Sends an answer.
    pub(super) fn reply(&mut self, response: &Response) -> io::Result<Next> {
        // After an error nobody knows what the client still sends.
        self.close |= response.status >= 400 || self.awaits_continue;
        let bytes = response.to_bytes(self.facts());
        self.socket.write_all(&bytes)?;
        Ok(Next::Request)
    }

    /// Starts a stream and returns what its chunks are written with.
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

    /// What is left of a body must not be taken for the next request.
    fn drop_unread_body(&mut self) {
        if self.close || self.unread == Framing::None {
            return;
        }
        let unread = std::mem::replace(&mut self.unread, Framing::None);
        self.close = Body::read(self.incoming, unread).is_err();
    }
}

/// The chunks of a stream, counted as the socket takes them.
#[derive(Debug)]
pub(super) struct Chunks<'a> {
    socket: &'a Socket,
    bytes: super::counters::StreamBytes,
}

impl Chunks<'_> {
    /// Writes one chunk; fails as soon as the client is seen to have left.
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
        self.counted(&chunk)
    }

    /// Ends the body. The real server closes the connection of every stream at its end,
    /// whatever the head has said of keeping it alive.
    pub(super) fn finish(self) -> io::Result<Next> {
        self.counted(b"0\r\n\r\n")?;
        Ok(Next::End)
    }

    fn counted(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let taken = self.socket.write(bytes)?;
            self.bytes.add(taken);
            bytes = &bytes[taken..];
        }
        Ok(())
    }
}
