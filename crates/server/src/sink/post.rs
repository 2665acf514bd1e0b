//! One post, and what came of it.

use super::batch::Batch;
use crate::config::Events;
use axum::body::Body;
use axum::http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, HeaderName, InvalidHeaderValue, RETRY_AFTER,
    USER_AGENT,
};
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::fs::File;
use std::future::pending;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a post may take.
const LIMIT: Duration = Duration::from_secs(10);

/// The longest token, in bytes.
const TOKEN: u64 = 4096;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// What the receiver answers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// After how long it wants to be asked again.
    pub(super) asked: Option<Duration>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum PostError {
    #[error("no connection to it: {0}")]
    Connect(#[source] io::Error),
    #[error("no answer from it: {0}")]
    Http(#[from] hyper::Error),
    #[error("no answer within {} s", LIMIT.as_secs())]
    Late,
    #[error("the token in {} cannot be read: {why}", path.display())]
    Token { path: PathBuf, why: io::Error },
    #[error("it cannot be asked so: {0}")]
    Field(#[from] InvalidHeaderValue),
}

/// Posts a batch, on a connection of its own: there is one a second at most, unless much happens.
pub(super) async fn post(to: &Events, batch: &Batch) -> Result<Answer, PostError> {
    timeout(LIMIT, Box::pin(exchange(to, batch)))
        .await
        .unwrap_or(Err(PostError::Late))
}

async fn exchange(to: &Events, batch: &Batch) -> Result<Answer, PostError> {
    let request = request(to, batch).await?;
    let stream = TcpStream::connect(to.url.host_and_port()).await;
    let stream = stream.map_err(PostError::Connect)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let going = async {
        // How it ends the answer tells.
        let _ = connection.await;
        pending::<Infallible>().await
    };
    let answer = tokio::select! {
        answer = sender.send_request(request) => answer?,
        never = going => match never {},
    };
    Ok(Answer {
        status: answer.status(),
        asked: seconds(answer.headers()),
    })
}

async fn request(to: &Events, batch: &Batch) -> Result<Request<Body>, PostError> {
    const NAME: &str = concat!("paddock/", env!("CARGO_PKG_VERSION"));
    let mut request = Request::new(Body::from(batch.body.clone()));
    *request.method_mut() = Method::POST;
    // It was read as a part of an address.
    *request.uri_mut() = to.url.target().parse().unwrap_or(Uri::from_static("/"));
    let fields = request.headers_mut();
    fields.insert(HOST, HeaderValue::from_str(to.url.authority())?);
    fields.insert(USER_AGENT, HeaderValue::from_static(NAME));
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    fields.insert(CONNECTION, HeaderValue::from_static("close"));
    fields.insert(KEY, HeaderValue::from_str(&batch.key)?);
    if let Some(path) = &to.token_file {
        let token = token(path).await?;
        let mut shown = HeaderValue::from_str(&format!("Bearer {token}"))?;
        shown.set_sensitive(true);
        fields.insert(AUTHORIZATION, shown);
    }
    Ok(request)
}

/// What is in the file now: it may be another since the last post.
async fn token(path: &Path) -> Result<String, PostError> {
    let file = path.to_owned();
    let reading = tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        File::open(file)?.take(TOKEN).read_to_string(&mut text)?;
        io::Result::Ok(text.trim().to_owned())
    });
    let read = reading.await.map_err(io::Error::other).flatten();
    read.map_err(|why| PostError::Token {
        path: path.to_owned(),
        why,
    })
}

/// `Retry-After` where it is a number of seconds.
fn seconds(fields: &HeaderMap) -> Option<Duration> {
    let text = fields.get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}
