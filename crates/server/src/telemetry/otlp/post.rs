use crate::config::OtlpEndpoint;
use http::header::{CONNECTION, CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use http::{HeaderValue, Request};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::future::pending;
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long one exchange may take.
const LIMIT: Duration = Duration::from_secs(10);

/// The longest answer that is read, in bytes.
const MOST: usize = 64 * 1024;

const AGENT: &str = concat!("paddock/", env!("CARGO_PKG_VERSION"));

/// What was answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// What `Retry-After` says, if that is a number of seconds.
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Silent {
    #[error("no connection: {0}")]
    Connect(#[source] io::Error),
    #[error("no answer: {0}")]
    Http(#[from] hyper::Error),
    #[error("the answer breaks off, or is longer than {MOST} bytes: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
    #[error("the address cannot be written in a request: {0}")]
    Address(#[from] http::Error),
    #[error("no answer within {} s", LIMIT.as_secs())]
    Late,
}

/// Posts a signal's protobuf on a connection of its own: one in seconds is no reason to keep one. Whoever
/// stops waiting closes it.
pub(super) async fn post(to: &OtlpEndpoint, signal: &str, body: Bytes) -> Result<Answer, Silent> {
    timeout(LIMIT, Box::pin(exchange(to, signal, body)))
        .await
        .unwrap_or(Err(Silent::Late))
}

async fn exchange(to: &OtlpEndpoint, signal: &str, body: Bytes) -> Result<Answer, Silent> {
    let stream = TcpStream::connect(to.authority()).await;
    let stream = stream.map_err(Silent::Connect)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::post(to.path_of(signal))
        .header(HOST, to.authority())
        .header(CONNECTION, HeaderValue::from_static("close"))
        .header(CONTENT_TYPE, "application/x-protobuf")
        .header(USER_AGENT, AGENT)
        .body(Full::new(body))?;
    let asking = async {
        let answer = sender.send_request(request).await?;
        let status = answer.status().as_u16();
        let retry_after = answer.headers().get(RETRY_AFTER).and_then(seconds);
        let body = Limited::new(answer.into_body(), MOST).collect().await;
        Ok(Answer {
            status,
            retry_after,
            body: body.map_err(Silent::Body)?.to_bytes(),
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
}

fn seconds(value: &HeaderValue) -> Option<Duration> {
    let text = value.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let value = HeaderValue::from_static(value);
            assert_eq!(
                seconds(&value),
                expected.map(Duration::from_secs),
                "{value:?}"
            );
        }
    }
}
