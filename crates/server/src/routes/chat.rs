//! A chat, asked on the admin plane and answered by the public one.
//!
//! A connection is made inside the process and given to a worker like one that a client has opened. So a
//! chat from here is routed, queued, limited, counted and cancelled like any other, and there is one way
//! on which answers come. Who leaves here closes that connection, which frees the slot.

use super::{Admin, refusal};
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, RETRY_AFTER,
};
use axum::http::{HeaderMap, HeaderValue, Method, Uri};
use axum::response::Response;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use paddock_admission::error::ProxyError;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::net::UnixStream;

/// What is asked there.
const PATH: &str = "/v1/chat/completions";

/// What passes of the request's fields.
const ASKED: [HeaderName; 4] = [
    ACCEPT,
    CONTENT_TYPE,
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("x-request-id"),
];

/// What passes of the answer's. Which pages may read it is for the admin plane to say.
const ANSWERED: [HeaderName; 6] = [
    CACHE_CONTROL,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    RETRY_AFTER,
    HeaderName::from_static("x-paddock-error"),
    HeaderName::from_static("x-request-id"),
];

/// Asks a model, which the body names as on the public plane, and passes its answer on as it comes.
pub(super) async fn chat(State(admin): State<Admin>, request: Request) -> Response {
    match ask(&admin, request).await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::debug!(%error, "a chat of the admin plane got no answer");
            refusal(&ProxyError::ShuttingDown)
        }
    }
}

/// Why no answer comes from there: every worker has ended, or closed the connection.
#[derive(Debug, thiserror::Error)]
enum ChatError {
    #[error("no connection could be made inside the process: {0}")]
    Connect(#[from] io::Error),
    #[error("no worker is left")]
    NoWorker,
    #[error("the worker's side of the connection: {0}")]
    Http(#[from] hyper::Error),
}

async fn ask(admin: &Admin, request: Request) -> Result<Response, ChatError> {
    let (ours, theirs) = UnixStream::pair()?;
    if !admin.workers.accept(theirs.into_std()?).await {
        return Err(ChatError::NoWorker);
    }
    let (mut sender, connection) = http1::handshake(TokioIo::new(ours)).await?;
    let mut connection: Connection = Some(Box::pin(connection));
    let answered = sender.send_request(to_model(request));
    let answer = tokio::select! {
        answer = answered => answer?,
        // It goes on for as long as there is a request to send or an answer to read.
        never = drive(&mut connection) => match never {},
    };
    let (head, body) = answer.into_parts();
    let body = Answer {
        body,
        connection,
        broken: None,
        _sender: sender,
    };
    let mut response = Response::new(Body::new(body));
    *response.status_mut() = head.status;
    *response.headers_mut() = only(&head.headers, &ANSWERED);
    Ok(response)
}

/// The request as a client of the public plane would send it.
fn to_model(request: Request) -> Request {
    let mut fields = only(request.headers(), &ASKED);
    fields.insert(HOST, HeaderValue::from_static("localhost"));
    let mut asked = Request::new(request.into_body());
    *asked.method_mut() = Method::POST;
    *asked.uri_mut() = Uri::from_static(PATH);
    *asked.headers_mut() = fields;
    asked
}

fn only(fields: &HeaderMap, names: &[HeaderName]) -> HeaderMap {
    let named = names.iter();
    let pairs = named.flat_map(|name| fields.get_all(name).iter().map(move |value| (name, value)));
    pairs
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// The connection to the worker, until it has ended.
type Connection = Option<Pin<Box<http1::Connection<TokioIo<UnixStream>, Body>>>>;

/// Keeps a connection going. Whoever waits for something on it is woken.
async fn drive(connection: &mut Connection) -> Infallible {
    poll_fn(|cx| {
        poll_connection(connection, cx);
        Poll::Pending
    })
    .await
}

fn poll_connection(connection: &mut Connection, cx: &mut Context<'_>) {
    let ended = connection
        .as_mut()
        .is_some_and(|connection| connection.as_mut().poll(cx).is_ready());
    if ended {
        *connection = None;
    }
}

/// An answer's body, with the connection that it comes on. Dropping it closes that.
struct Answer {
    body: Incoming,
    connection: Connection,
    /// Why it breaks off, once what came before is on its way.
    broken: Option<hyper::Error>,
    /// Without it the connection would take no part in what is left of the request.
    _sender: http1::SendRequest<Body>,
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        if let Some(error) = this.broken.take() {
            return Poll::Ready(Some(Err(error)));
        }
        poll_connection(&mut this.connection, cx);
        match Pin::new(&mut this.body).poll_frame(cx) {
            // The admin plane's server drops what it has not sent when a body fails (hyper 1.12): the
            // stream's last words, which say why.
            Poll::Ready(Some(Err(error))) => {
                this.broken = Some(error);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            frame => frame,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
