//! Sends paddock's own HTTP requests: to collectors, to event receivers, and to children for their metrics.
//!
//! Exchanges are seconds apart, so each has its own connection. An exchange is bounded in time and in the bytes
//! read. Dropping the future closes the connection.

mod backoff;
mod tls;

use futures_util::FutureExt;
use http::header::{CONNECTION, HOST, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use paddock_config::HttpUrl;
use paddock_supervisor::blocking;
use std::fmt;
use std::future::pending;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::either::Either;

pub(crate) use backoff::Backoff;

/// Time limit of a post.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

const PADDOCK_USER_AGENT: &str = concat!("paddock/", env!("CARGO_PKG_VERSION"));

/// Response to one of paddock's own requests.
#[derive(Debug)]
pub struct HttpAnswer {
    /// Status of the answer.
    pub status: StatusCode,
    /// Value of `Retry-After`, if given in seconds.
    pub(crate) retry_after: Option<Duration>,
    /// Body of the answer; empty if the caller asked for none.
    pub body: Bytes,
}

/// Reason for a missing answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpClientError {
    /// The connection failed.
    #[error("cannot connect: {0}")]
    Connect(#[from] io::Error),
    /// The TLS handshake failed.
    #[error(transparent)]
    Tls(#[from] tls::TlsFailure),
    /// The peer sent no HTTP answer.
    #[error("no response: {0}")]
    Http(#[source] hyper::Error),
    /// The answer's body is too long or broke off.
    #[error("the response is truncated or longer than {max_body} bytes: {cause}")]
    Body {
        /// Limit of the body, in bytes.
        max_body: usize,
        /// Cause.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The request cannot be built.
    #[error("invalid request: {0}")]
    Request(#[from] http::Error),
    /// The time limit passed.
    #[error("no response within {} s", .0.as_secs())]
    Timeout(Duration),
}

impl From<hyper::Error> for HttpClientError {
    /// Finds the TLS error inside: some peers reject a handshake only after this side has finished it.
    fn from(error: hyper::Error) -> Self {
        tls::TlsFailure::find_in(&error).map_or(Self::Http(error), Self::Tls)
    }
}

/// Posts over HTTP and HTTPS.
#[derive(Debug, Clone, Default)]
pub(crate) struct HttpClient {
    roots: tls::TrustedRoots,
}

impl HttpClient {
    /// Posts a body with these header fields, with the limits of [`send_request`].
    pub(crate) async fn post(
        &self,
        to: &HttpUrl,
        target: &str,
        fields: HeaderMap,
        body: Bytes,
        max_body: usize,
    ) -> Result<HttpAnswer, HttpClientError> {
        let mut request = Request::post(target)
            .header(HOST, to.authority())
            .header(USER_AGENT, PADDOCK_USER_AGENT)
            .body(Full::new(body))?;
        request.headers_mut().extend(fields);
        let connecting = async {
            let stream = connect(to.host_and_port()).await?;
            Ok::<_, HttpClientError>(match to.tls() {
                Some(name) => Either::Left(self.roots.handshake(name.clone(), stream).await?),
                None => Either::Right(stream),
            })
        };
        // Boxed, so that plain HTTP needs no room for the state of a TLS handshake.
        send_request(connecting.boxed(), request, max_body, REQUEST_TIMEOUT).await
    }
}

/// Connects to the first address of a host that accepts. Name lookups run on a thread whose start may fail,
/// unlike tokio's own.
async fn connect((host, port): (&str, u16)) -> io::Result<TcpStream> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return TcpStream::connect((address, port)).await;
    }
    let host = host.to_owned();
    let lookup = blocking::run(move || Ok((host.as_str(), port).to_socket_addrs()?.collect()));
    let found: Vec<SocketAddr> = lookup.await.flatten()?;
    TcpStream::connect(found.as_slice()).await
}

/// Sends a request over a new connection. Reads at most `max_body` bytes of the answer's body; more is an
/// error, and 0 reads none.
pub async fn send_request<S, E>(
    connecting: impl Future<Output = Result<S, E>>,
    mut request: Request<Full<Bytes>>,
    max_body: usize,
    limit: Duration,
) -> Result<HttpAnswer, HttpClientError>
where
    S: AsyncRead + AsyncWrite + Unpin,
    HttpClientError: From<E>,
{
    let close = HeaderValue::from_static("close");
    request.headers_mut().insert(CONNECTION, close);
    let exchange = async {
        let stream = connecting.await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let exchanging = async {
            let answer = sender.send_request(request).await?;
            Ok(HttpAnswer {
                status: answer.status(),
                retry_after: answer.headers().get(RETRY_AFTER).and_then(parse_seconds),
                body: match max_body {
                    0 => Bytes::new(),
                    _ => Limited::new(answer.into_body(), max_body)
                        .collect()
                        .await
                        .map_err(|cause| HttpClientError::Body { max_body, cause })?
                        .to_bytes(),
                },
            })
        };
        let driving = async {
            // The exchange reports a failed connection.
            let _ = connection.await;
            pending().await
        };
        tokio::select! {
            answer = exchanging => answer,
            never = driving => never,
        }
    };
    let answer = timeout(limit, Box::pin(exchange)).await;
    answer.unwrap_or(Err(HttpClientError::Timeout(limit)))
}

/// Describes the outcome in words.
pub(crate) fn describe(answer: &Result<HttpAnswer, impl fmt::Display>) -> String {
    match answer {
        Ok(answer) => format!("the server returned {}", answer.status),
        Err(error) => error.to_string(),
    }
}

fn parse_seconds(value: &HeaderValue) -> Option<Duration> {
    let text = value.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[test]
    fn only_a_number_of_seconds_is_heard() {
        for (value, expected) in [
            ("7", Some(7)),
            (" 0 ", Some(0)),
            ("-1", None),
            ("1.5", None),
            ("Wed, 21 Oct 2026 07:28:00 GMT", None),
            ("99999999999999999999999", None),
            ("", None),
        ] {
            let parsed = parse_seconds(&HeaderValue::from_static(value));
            assert_eq!(parsed, expected.map(Duration::from_secs), "{value:?}");
        }
    }

    /// Sends a request to a peer that sends `answer` and then stays connected.
    async fn exchange_with(
        answer: &'static str,
        max_body: usize,
    ) -> Result<HttpAnswer, HttpClientError> {
        let (near, mut far) = tokio::io::duplex(1024);
        let answering = async {
            far.read_u8().await.unwrap();
            far.write_all(answer.as_bytes()).await.unwrap();
            pending().await
        };
        let request = Request::new(Full::default());
        tokio::select! {
            answer = send_request(async { io::Result::Ok(near) }, request, max_body, REQUEST_TIMEOUT) => answer,
            never = answering => never,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_is_to_be_read_is_waited_for() {
        let begun = "HTTP/1.1 200 OK\r\nretry-after: 7\r\ncontent-length: 9\r\n\r\n+";
        let answer = exchange_with(begun, 0).await.unwrap();
        let parsed = (answer.status, answer.retry_after, answer.body.len());
        assert_eq!(parsed, (StatusCode::OK, Some(Duration::from_secs(7)), 0));
        for (answer, max_body) in [(begun, 9), ("HTTP/1.1 200 OK\r\n", 0)] {
            let late = exchange_with(answer, max_body).await;
            assert!(
                matches!(late, Err(HttpClientError::Timeout(REQUEST_TIMEOUT))),
                "{late:?}"
            );
        }
    }
}
