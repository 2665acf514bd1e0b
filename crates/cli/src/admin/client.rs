//! Sends requests to the admin API, each on its own connection.

use std::ffi::OsString;
use std::future::Future;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, SERVER};
use hyper::http::request::Builder;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{Address, CommandError};
use crate::output;

/// Longest wait for a connection, and for the response to a request that paddock answers at once.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// A client of one paddock's admin API.
#[derive(Debug, Clone)]
pub(crate) struct AdminClient {
    address: Address,
    /// Value of the `Authorization` header field: `Bearer` and an API key.
    key: Option<HeaderValue>,
}

/// A successful response, whose body has not been read yet.
#[derive(Debug)]
pub(crate) struct AdminAnswer {
    address: Address,
    body: Incoming,
    /// Task that drives the connection; dropping the response aborts the task.
    _connection: JoinSet<()>,
}

impl AdminClient {
    /// Returns the paddock's address.
    pub(crate) const fn address(&self) -> &Address {
        &self.address
    }

    /// Creates a client that sends `key`, if the key is a valid field value.
    pub(super) fn new(address: Address, key: Option<OsString>) -> Self {
        let key = key.filter(|key| !key.is_empty());
        let key = key.and_then(|key| {
            let bearer = [b"Bearer ", key.as_encoded_bytes().trim_ascii()].concat();
            let mut field = HeaderValue::from_bytes(&bearer).ok()?;
            field.set_sensitive(true);
            Some(field)
        });
        Self { address, key }
    }

    /// Sends a request that paddock answers at once.
    ///
    /// # Errors
    /// No paddock answers, or it refuses.
    pub(super) async fn request(
        &self,
        method: Method,
        path: &str,
    ) -> Result<AdminAnswer, CommandError> {
        let answer = timeout(ANSWER_TIMEOUT, self.request_and_wait(method, path)).await;
        answer.unwrap_or_else(|_| Err(self.no_answer("no response within 10 s")))
    }

    /// Sends a request and waits for the answer as long as necessary.
    ///
    /// # Errors
    /// No paddock answers, or it refuses.
    pub(super) async fn request_and_wait(
        &self,
        method: Method,
        path: &str,
    ) -> Result<AdminAnswer, CommandError> {
        let request = Request::builder().method(method).uri(path);
        self.send_request(request, Bytes::new()).await
    }

    /// Posts JSON and waits for the answer's head.
    ///
    /// # Errors
    /// No paddock answers, or it refuses.
    pub(super) async fn post(&self, path: &str, json: String) -> Result<AdminAnswer, CommandError> {
        let request = Request::builder().method(Method::POST).uri(path);
        let request = request.header(CONTENT_TYPE, "application/json");
        self.send_request(request, json.into()).await
    }

    async fn send_request(
        &self,
        request: Builder,
        body: Bytes,
    ) -> Result<AdminAnswer, CommandError> {
        let request = request.header(HOST, "localhost");
        let request = match &self.key {
            Some(key) => request.header(AUTHORIZATION, key),
            None => request,
        };
        let request = request.body(Full::new(body));
        // Does not fail: paths consist of encoded names.
        let request = request.map_err(|error| self.no_answer(&error.to_string()))?;
        let (response, connection) = match &self.address {
            Address::Tcp(address) => {
                self.connect_and_send(TcpStream::connect(address), request)
                    .await?
            }
            Address::Unix(socket) => {
                self.connect_and_send(UnixStream::connect(socket), request)
                    .await?
            }
        };
        let server = response.headers().get(SERVER);
        if !server.is_some_and(|name| name.as_bytes().starts_with(b"paddock/")) {
            return Err(self.not_paddock());
        }
        let status = response.status();
        let mut answer = AdminAnswer {
            address: self.address.clone(),
            body: response.into_body(),
            _connection: connection,
        };
        if status.is_success() {
            return Ok(answer);
        }
        if status == StatusCode::UNAUTHORIZED {
            let (address, has_key) = (self.address.clone(), self.key.is_some());
            return Err(CommandError::Unauthorized { address, has_key });
        }
        let refused = answer.read_to_end().await?;
        Err(
            parse_refusal(&refused).unwrap_or_else(|| CommandError::Refused {
                message: format!("paddock returned {status} without an error message"),
                code: None,
            }),
        )
    }

    async fn connect_and_send<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
        &self,
        connecting: impl Future<Output = std::io::Result<S>>,
        request: Request<Full<Bytes>>,
    ) -> Result<(Response<Incoming>, JoinSet<()>), CommandError> {
        let stream = match timeout(ANSWER_TIMEOUT, connecting).await {
            Ok(connected) => connected.map_err(|error| self.no_answer(&error.to_string()))?,
            Err(_) => return Err(self.no_answer("no connection within 10 s")),
        };
        // Fails only on a stream that is already broken.
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|_| self.not_paddock())?;
        let mut connection_task = JoinSet::new();
        connection_task.spawn(async move {
            // Errors appear in the answer, too.
            let _ended = connection.await;
        });
        let response = sender.send_request(request).await;
        Ok((response.map_err(|_| self.not_paddock())?, connection_task))
    }

    fn no_answer(&self, why: &str) -> CommandError {
        CommandError::NoAnswer {
            address: self.address.clone(),
            why: why.to_owned(),
        }
    }

    fn not_paddock(&self) -> CommandError {
        CommandError::NotPaddock {
            address: self.address.clone(),
        }
    }
}

impl AdminAnswer {
    /// Returns the next chunk of the body, or `None` at the end.
    ///
    /// # Errors
    /// The connection breaks off.
    pub(crate) async fn next_chunk(&mut self) -> Result<Option<Bytes>, CommandError> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|_| self.connection_lost())?;
            // Trailers are ignored.
            if let Ok(chunk) = frame.into_data() {
                return Ok(Some(chunk));
            }
        }
        Ok(None)
    }

    /// Reads the whole body.
    ///
    /// # Errors
    /// The connection breaks off.
    pub(crate) async fn read_to_end(&mut self) -> Result<Vec<u8>, CommandError> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.next_chunk().await? {
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    /// Returns the error for an answer that ended early.
    pub(crate) fn connection_lost(&self) -> CommandError {
        CommandError::ConnectionLost {
            address: self.address.clone(),
        }
    }

    /// Returns the error for a body of another type than expected.
    pub(super) fn unknown_answer(&self, error: &serde_json::Error) -> CommandError {
        CommandError::UnknownAnswer {
            address: self.address.clone(),
            why: error.to_string(),
        }
    }
}

/// Finds the message in a refusal's body: of an error, a failure or a decision. Removes terminal sequences. The body
/// may be an engine's, whose errors have other types than paddock's.
pub(crate) fn parse_refusal(body: &[u8]) -> Option<CommandError> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let text = |value: &Value| value.as_str().map(output::printable_lines);
    let messages = [
        &body["error"]["message"],
        &body["failure"]["message"],
        &body["message"],
    ];
    Some(CommandError::Refused {
        message: messages.into_iter().find_map(text)?,
        code: text(&body["error"]["code"]),
    })
}

#[cfg(test)]
mod tests {
    use super::parse_refusal;

    #[test]
    fn a_refusal_is_shown_by_its_message() {
        for (body, message) in [
            (r#"{"error":{"message":"no such"}}"#, Some("no such")),
            (
                r#"{"message":"so","failure":{"message":"bad"}}"#,
                Some("bad"),
            ),
            (r#"{"message":"so","failure":null}"#, Some("so")),
            ("{}", None),
            ("no json", None),
        ] {
            let refused = parse_refusal(body.as_bytes()).map(|error| error.to_string());
            assert_eq!(refused.as_deref(), message);
        }
    }
}
