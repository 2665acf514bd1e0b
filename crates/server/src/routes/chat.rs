//! Passes chats of operators (`POST /api/chat` of the admin plane) to a worker, a thread that serves clients.
//!
//! Each chat opens a socket pair and hands one end to a worker like a client's connection. So chats are routed,
//! queued, limited, counted and cancelled like other requests. If the operator's client disconnects, the pair is
//! closed, which frees the request's slot in llama-server.

use super::AdminContext;
use super::errors::refusal;
use super::openapi::responses::{AnyError, ChatRequest, Denied};
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

/// Path of chats on the public plane.
const CHAT_PATH: &str = "/v1/chat/completions";

/// Header fields of the request that are passed on.
const REQUEST_FIELDS: [HeaderName; 4] = [
    ACCEPT,
    CONTENT_TYPE,
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("x-request-id"),
];

/// Header fields of the answer that are passed on. CORS fields are not, because the admin plane sets its own.
const ANSWER_FIELDS: [HeaderName; 6] = [
    CACHE_CONTROL,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    RETRY_AFTER,
    HeaderName::from_static("x-paddock-error"),
    HeaderName::from_static("x-request-id"),
];

/// Sends a chat to the model named in its body, and streams the response back.
///
/// Works like `POST /v1/chat/completions` of the public address.
#[utoipa::path(
    post,
    path = "/api/chat",
    operation_id = "chat",
    tag = "requests",
    request_body = ChatRequest,
    responses(
        (status = 200, description = "The model's response.", content((Object = "application/json"), ("text/event-stream"))),
        Denied,
        (status = "default", description = "An error from the child, or one from paddock (marked by `x-paddock-error`).", body = AnyError),
    ),
)]
pub(super) async fn chat(State(admin): State<AdminContext>, request: Request) -> Response {
    match send(&admin, request).await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::debug!(%error, "a dashboard chat got no response");
            refusal(&ProxyError::ShuttingDown)
        }
    }
}

/// A failure to get an answer: all workers have ended, or one closed the connection.
#[derive(Debug, thiserror::Error)]
enum ChatError {
    #[error("cannot create a connection inside the process: {0}")]
    Connect(#[from] io::Error),
    #[error("all worker threads have exited")]
    NoWorker,
    #[error("the connection to the worker failed: {0}")]
    Http(#[from] hyper::Error),
}

async fn send(admin: &AdminContext, request: Request) -> Result<Response, ChatError> {
    let (own_end, worker_end) = UnixStream::pair()?;
    if !admin.workers.accept(worker_end.into_std()?).await {
        return Err(ChatError::NoWorker);
    }
    let (mut sender, connection) = http1::handshake(TokioIo::new(own_end)).await?;
    let mut connection: WorkerConnection = Some(Box::pin(connection));
    let answering = sender.send_request(build_request(request));
    let answer = tokio::select! {
        answer = answering => answer?,
        // The connection needs polling to make progress, and never wins.
        never = drive(&mut connection) => match never {},
    };
    let (head, body) = answer.into_parts();
    let body = AnswerBody {
        body,
        connection,
        error: None,
        _sender: sender,
    };
    let mut response = Response::new(Body::new(body));
    *response.status_mut() = head.status;
    *response.headers_mut() = select_fields(&head.headers, &ANSWER_FIELDS);
    Ok(response)
}

/// Builds the request that a client of the public plane would send.
fn build_request(request: Request) -> Request {
    let mut fields = select_fields(request.headers(), &REQUEST_FIELDS);
    fields.insert(HOST, HeaderValue::from_static("localhost"));
    let mut built = Request::new(request.into_body());
    *built.method_mut() = Method::POST;
    *built.uri_mut() = Uri::from_static(CHAT_PATH);
    *built.headers_mut() = fields;
    built
}

fn select_fields(fields: &HeaderMap, names: &[HeaderName]) -> HeaderMap {
    let named = names.iter();
    let pairs = named.flat_map(|name| fields.get_all(name).iter().map(move |value| (name, value)));
    pairs
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// The connection to the worker, or `None` once it has ended.
type WorkerConnection = Option<Pin<Box<http1::Connection<TokioIo<UnixStream>, Body>>>>;

/// Polls a connection forever, which wakes the tasks that wait for it.
async fn drive(connection: &mut WorkerConnection) -> Infallible {
    poll_fn(|cx| {
        poll_connection(connection, cx);
        Poll::Pending
    })
    .await
}

fn poll_connection(connection: &mut WorkerConnection, cx: &mut Context<'_>) {
    let ended = connection
        .as_mut()
        .is_some_and(|connection| connection.as_mut().poll(cx).is_ready());
    if ended {
        *connection = None;
    }
}

/// An answer's body with its connection, which a drop closes.
struct AnswerBody {
    body: Incoming,
    connection: WorkerConnection,
    /// The error that cut the body, returned once earlier data has been sent.
    error: Option<hyper::Error>,
    /// Kept so that the connection continues to send the rest of the request.
    _sender: http1::SendRequest<Body>,
}

impl hyper::body::Body for AnswerBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        if let Some(error) = this.error.take() {
            return Poll::Ready(Some(Err(error)));
        }
        poll_connection(&mut this.connection, cx);
        match Pin::new(&mut this.body).poll_frame(cx) {
            // The admin plane's server drops what it has not sent when a body fails (hyper 1.12): the
            // stream's last words, which say why.
            Poll::Ready(Some(Err(error))) => {
                this.error = Some(error);
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
