//! Provides the proxy as a tower service for other programs, for example in an axum router.
//!
//! ```
//! use axum::Router;
//! use paddock_proxy::{ForwardProxy, Upstream};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let child: Upstream = "http://127.0.0.1:11436".parse()?;
//! let app: Router = Router::new().fallback_service(ForwardProxy::new(child));
//! # let _ = app;
//! # Ok(())
//! # }
//! ```

use crate::Stream;
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HeaderName};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, Version};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Either, Full};
use hyper::body::{Body, Incoming};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use paddock_supervisor::Address;
use paddock_wire::HOP_BY_HOP_FIELDS;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::ToSocketAddrs;
use std::path::PathBuf;
use std::pin::Pin;
use std::str::FromStr;
use std::task::{Context, Poll};
use std::time::Duration;
use tower::Service;

/// Longest time an idle connection is kept: less than the 5 s after which llama-server closes it.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// Address of a child, the llama-server that gets the requests: `unix:/run/model.sock` or `http://127.0.0.1:11436`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream(Address);

/// The error for a text that is not a child's address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an upstream address; expected unix:PATH or http://HOST:PORT")]
pub struct UpstreamError(String);

impl Upstream {
    /// Returns the address of a unix socket.
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self(Address::Unix(path.into()))
    }
}

impl FromStr for Upstream {
    type Err = UpstreamError;

    fn from_str(text: &str) -> Result<Self, UpstreamError> {
        let wrong = || UpstreamError(text.to_owned());
        match text.strip_prefix("unix:") {
            Some("") => return Err(wrong()),
            Some(path) => return Ok(Self::unix(path)),
            None => {}
        }
        let host = text.strip_prefix("http://").ok_or_else(wrong)?;
        let host = host.strip_suffix('/').unwrap_or(host);
        let mut addresses = host.to_socket_addrs().map_err(|_| wrong())?;
        addresses
            .next()
            .map(|at| Self(Address::Tcp(at)))
            .ok_or_else(wrong)
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A request could not be forwarded.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The child is unreachable, or closed before it answered.
    #[error("the child at {upstream} did not respond")]
    Inference {
        /// The child's address.
        upstream: Upstream,
        /// Cause of the failure.
        #[source]
        source: InferenceCause,
    },
    /// The request's target gives no valid URI of a child.
    #[error("the request target `{0}` cannot be forwarded")]
    Target(Uri),
}

/// Failure between the proxy and the child.
#[derive(Debug, thiserror::Error)]
pub enum InferenceCause {
    /// No process accepts connections at the address.
    #[error("cannot connect: {0}")]
    Connect(#[source] legacy::Error),
    /// The connection ended, or carried something other than HTTP, before the response's head.
    #[error("no response: {0}")]
    Exchange(#[source] legacy::Error),
}

/// The body of a response: the child's, or an error's.
pub type ForwardBody = Either<Incoming, Full<Bytes>>;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

type RequestBody = UnsyncBoxBody<Bytes, BoxError>;

impl EngineError {
    /// Returns the response for a client, in the `OpenAI` error shape: 502 for a child that cannot be reached
    /// (RFC 9110 §15.6.3).
    pub fn to_response(&self) -> Response<ForwardBody> {
        let (status, kind, class) = match self {
            Self::Inference { source, .. } => {
                let kind = match source {
                    InferenceCause::Connect(_) => "upstream_unreachable",
                    InferenceCause::Exchange(_) => "upstream_closed",
                };
                (StatusCode::BAD_GATEWAY, kind, "server_error")
            }
            Self::Target(_) => (
                StatusCode::BAD_REQUEST,
                "bad_request",
                "invalid_request_error",
            ),
        };
        let error = serde_json::json!({ "error": {
            "message": self.to_string(),
            "type": class,
            "code": kind,
            "param": null,
        } });
        let mut response = Response::new(Either::Right(Full::from(error.to_string())));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert("x-paddock-error", HeaderValue::from_static(kind));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}

/// Forwards requests to one child and returns its responses: status, headers and unread body.
///
/// Alters nothing except the hop-by-hop fields (RFC 9110 §7.6.1). Sets no time limits: the router around it
/// may. Dropping the response drops the connection, which tells the child that its client has left.
#[derive(Debug, Clone)]
pub struct ForwardProxy {
    upstream: Upstream,
    client: Client<Connector, RequestBody>,
}

impl ForwardProxy {
    /// Returns a proxy to the child at this address. Connects on the first request.
    pub fn new(upstream: Upstream) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .http1_preserve_header_case(true)
            .build(Connector(upstream.0.clone()));
        Self { upstream, client }
    }

    /// Forwards one request.
    ///
    /// # Errors
    /// The child is unreachable, or does not answer.
    pub async fn forward<B>(
        &self,
        request: Request<B>,
    ) -> Result<Response<ForwardBody>, EngineError>
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let mut request = request.map(|body| body.map_err(Into::into).boxed_unsync());
        remove_hop_by_hop(request.headers_mut());
        *request.uri_mut() = target(request.uri())?;
        *request.version_mut() = Version::HTTP_11;
        let answered = self.client.request(request).await;
        let mut response = answered.map_err(|error| EngineError::Inference {
            upstream: self.upstream.clone(),
            source: if error.is_connect() {
                InferenceCause::Connect(error)
            } else {
                InferenceCause::Exchange(error)
            },
        })?;
        remove_hop_by_hop(response.headers_mut());
        Ok(response.map(Either::Left))
    }
}

/// Returns the target as the HTTP client needs it: absolute, although the client sends only the path. The
/// client also sends the host if the request has none, as HTTP/1.1 requires.
fn target(uri: &Uri) -> Result<Uri, EngineError> {
    let path = uri
        .path_and_query()
        .cloned()
        .unwrap_or_else(|| PathAndQuery::from_static("/"));
    Uri::builder()
        .scheme(Scheme::HTTP)
        .authority(Authority::from_static("localhost"))
        .path_and_query(path)
        .build()
        .map_err(|_| EngineError::Target(uri.clone()))
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in HOP_BY_HOP_FIELDS {
        headers.remove(name);
    }
}

impl<B> Service<Request<B>> for ForwardProxy
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<ForwardBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let proxy = self.clone();
        Box::pin(async move {
            Ok(match proxy.forward(request).await {
                Ok(response) => response,
                Err(error) => error.to_response(),
            })
        })
    }
}

/// Connects to the child and ignores the target's host.
#[derive(Debug, Clone)]
struct Connector(Address);

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<Stream>>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _target: Uri) -> Self::Future {
        let address = self.0.clone();
        Box::pin(async move { Stream::connect(&address, None).await.map(TokioIo::new) })
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}
