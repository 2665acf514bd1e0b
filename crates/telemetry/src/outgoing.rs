//! What paddock itself asks of others by HTTP: one exchange on a connection of its own, since there is one in
//! seconds at most. Each is bounded in time and in what is read of the answer; whoever stops waiting closes it.

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

/// How long a post may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

const AGENT: &str = concat!("paddock/", env!("CARGO_PKG_VERSION"));

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    /// Status of the answer.
    pub status: StatusCode,
    /// What `Retry-After` says, if that is a number of seconds.
    pub(crate) retry_after: Option<Duration>,
    /// Empty where none was to be read.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Silent {
    /// No connection.
    #[error("no connection to it: {0}")]
    Connect(#[from] io::Error),
    /// No TLS session.
    #[error(transparent)]
    Tls(#[from] tls::Flaw),
    /// No HTTP answer.
    #[error("no answer from it: {0}")]
    Http(#[source] hyper::Error),
    /// The answer's body is too long or broke off.
    #[error("its answer is cut off, or longer than {most} bytes: {why}")]
    Body {
        /// Limit of the body, in bytes.
        most: usize,
        /// Cause.
        why: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The request cannot be built.
    #[error("it cannot be asked so: {0}")]
    Request(#[from] http::Error),
    /// No answer within this time.
    #[error("no answer within {} s", .0.as_secs())]
    Late(Duration),
}

impl From<hyper::Error> for Silent {
    /// Some refuse a handshake only once it is over for this side.
    fn from(error: hyper::Error) -> Self {
        tls::Flaw::behind(&error).map_or(Self::Http(error), Self::Tls)
    }
}

/// Posts to addresses by http and https.
#[derive(Debug, Clone, Default)]
pub(crate) struct Client {
    trust: tls::Trust,
}

impl Client {
    /// Posts a body with these fields, and [`ask`]s so.
    pub(crate) async fn post(
        &self,
        to: &HttpUrl,
        target: &str,
        fields: HeaderMap,
        body: Bytes,
        most: usize,
    ) -> Result<Answer, Silent> {
        let mut request = Request::post(target)
            .header(HOST, to.authority())
            .header(USER_AGENT, AGENT)
            .body(Full::new(body))?;
        request.headers_mut().extend(fields);
        let connecting = async {
            let stream = connect(to.host_and_port()).await?;
            Ok::<_, Silent>(match to.tls() {
                Some(name) => Either::Left(self.trust.shake(name.clone(), stream).await?),
                None => Either::Right(stream),
            })
        };
        // Apart, since whoever never posts by https has neither room nor stack for a handshake.
        ask(connecting.boxed(), request, most, LIMIT).await
    }
}

/// Connects to the first address of a host that takes connections. Names are looked up on a thread that the
/// system may refuse, unlike the one that tokio would start.
async fn connect((host, port): (&str, u16)) -> io::Result<TcpStream> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return TcpStream::connect((address, port)).await;
    }
    let host = host.to_owned();
    let looking = blocking::run(move || Ok((host.as_str(), port).to_socket_addrs()?.collect()));
    let found: Vec<SocketAddr> = looking.await.flatten()?;
    TcpStream::connect(found.as_slice()).await
}

/// Asks whoever a connection leads to. Of the answer's body up to `most` bytes are read, and more is an error; 0
/// reads none.
pub async fn ask<S, E>(
    connecting: impl Future<Output = Result<S, E>>,
    mut request: Request<Full<Bytes>>,
    most: usize,
    limit: Duration,
) -> Result<Answer, Silent>
where
    S: AsyncRead + AsyncWrite + Unpin,
    Silent: From<E>,
{
    let close = HeaderValue::from_static("close");
    request.headers_mut().insert(CONNECTION, close);
    let exchange = async {
        let stream = connecting.await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let asking = async {
            let answer = sender.send_request(request).await?;
            Ok(Answer {
                status: answer.status(),
                retry_after: answer.headers().get(RETRY_AFTER).and_then(seconds),
                body: match most {
                    0 => Bytes::new(),
                    _ => Limited::new(answer.into_body(), most)
                        .collect()
                        .await
                        .map_err(|why| Silent::Body { most, why })?
                        .to_bytes(),
                },
            })
        };
        let going = async {
            // How it ends the answer tells.
            let _ = connection.await;
            pending().await
        };
        tokio::select! {
            answer = asking => answer,
            never = going => never,
        }
    };
    let answer = timeout(limit, Box::pin(exchange)).await;
    answer.unwrap_or(Err(Silent::Late(limit)))
}

/// What came of it, in words.
pub(crate) fn in_words(answer: &Result<Answer, impl fmt::Display>) -> String {
    match answer {
        Ok(answer) => format!("it answers with {}", answer.status),
        Err(silent) => silent.to_string(),
    }
}

fn seconds(value: &HeaderValue) -> Option<Duration> {
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
            let heard = seconds(&HeaderValue::from_static(value));
            assert_eq!(heard, expected.map(Duration::from_secs), "{value:?}");
        }
    }

    /// Asks somebody who answers so and then stays, and reads so much of it.
    async fn asked(answer: &'static str, most: usize) -> Result<Answer, Silent> {
        let (near, mut far) = tokio::io::duplex(1024);
        let answering = async {
            far.read_u8().await.unwrap();
            far.write_all(answer.as_bytes()).await.unwrap();
            pending().await
        };
        let request = Request::new(Full::default());
        tokio::select! {
            answer = ask(async { io::Result::Ok(near) }, request, most, LIMIT) => answer,
            never = answering => never,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_is_to_be_read_is_waited_for() {
        let begun = "HTTP/1.1 200 OK\r\nretry-after: 7\r\ncontent-length: 9\r\n\r\n+";
        let answer = asked(begun, 0).await.unwrap();
        let heard = (answer.status, answer.retry_after, answer.body.len());
        assert_eq!(heard, (StatusCode::OK, Some(Duration::from_secs(7)), 0));
        for (answer, most) in [(begun, 9), ("HTTP/1.1 200 OK\r\n", 0)] {
            let late = asked(answer, most).await;
            assert!(matches!(late, Err(Silent::Late(LIMIT))), "{late:?}");
        }
    }
}
