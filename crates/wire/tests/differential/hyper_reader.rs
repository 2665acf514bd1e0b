//! Reads a connection with hyper's server.

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::{HeaderMap, Request, Response};
use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Field lines with names in lower case.
pub(crate) type Fields = Vec<(String, Vec<u8>)>;

/// A request that hyper passed to its service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) fields: Fields,
    pub(crate) data: Vec<u8>,
    pub(crate) trailers: Fields,
    pub(crate) complete: bool,
}

/// Returns all requests that hyper finds in `bytes`.
///
/// The connection never waits, so polling it once runs it to its end.
pub(crate) fn read(bytes: &[u8]) -> Vec<Message> {
    let messages = Rc::new(RefCell::new(Vec::new()));
    let service = hyper::service::service_fn(|request| answer(request, Rc::clone(&messages)));
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder
        .half_close(true)
        .auto_date_header(false)
        .header_read_timeout(None)
        .max_headers(128)
        .max_header_size(256 * 1024);
    let mut connection = pin!(builder.serve_connection(Input::immediate(bytes), service));
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..100_000 {
        // hyper's final response or error does not affect the messages before it.
        if connection.as_mut().poll(&mut context).is_ready() {
            return messages.take();
        }
    }
    panic!("hyper does not come to an end");
}

async fn answer(
    request: Request<Incoming>,
    messages: Rc<RefCell<Vec<Message>>>,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let (head, mut body) = request.into_parts();
    let mut message = Message {
        method: head.method.to_string(),
        target: head.uri.to_string(),
        fields: fields(&head.headers),
        ..Message::default()
    };
    let index = messages.borrow().len();
    messages.borrow_mut().push(message.clone());
    (message.data, message.trailers, message.complete) = drain(&mut body).await;
    messages.borrow_mut()[index] = message;
    Ok(Response::new(Empty::new()))
}

/// Returns a body's data and trailers, and true if the body is complete.
pub(crate) async fn drain(body: &mut Incoming) -> (Vec<u8>, Fields, bool) {
    let mut data = Vec::new();
    let mut trailers = Fields::new();
    loop {
        match body.frame().await {
            Some(Ok(frame)) => {
                if let Some(piece) = frame.data_ref() {
                    data.extend_from_slice(piece);
                } else if let Some(map) = frame.trailers_ref() {
                    trailers = fields(map);
                }
            }
            Some(Err(_)) => return (data, trailers, false),
            None => return (data, trailers, true),
        }
    }
}

pub(crate) fn fields(map: &HeaderMap) -> Fields {
    map.iter()
        .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
        .collect()
}

/// A connection that delivers its bytes, then its end, and accepts all writes.
#[derive(Debug)]
pub(crate) struct Input<'a> {
    left: &'a [u8],
    /// Delivers bytes only after the first write.
    silent: bool,
}

impl<'a> Input<'a> {
    pub(crate) fn immediate(bytes: &'a [u8]) -> Self {
        Self {
            left: bytes,
            silent: false,
        }
    }

    pub(crate) fn after_first_write(bytes: &'a [u8]) -> Self {
        Self {
            left: bytes,
            silent: true,
        }
    }
}

impl Read for Input<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.silent {
            return Poll::Pending;
        }
        let (now, later) = self.left.split_at(self.left.len().min(buffer.remaining()));
        buffer.put_slice(now);
        self.left = later;
        Poll::Ready(Ok(()))
    }
}

impl Write for Input<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.silent = false;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
