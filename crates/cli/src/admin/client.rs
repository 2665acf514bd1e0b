//! One request, one answer.

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

use super::{Address, Trouble};
use crate::output;

/// How long a paddock may take to begin its answer to what it can answer at once.
const AT_ONCE: Duration = Duration::from_secs(10);

/// Asks one paddock.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    at: Address,
    /// The field that shows a key.
    key: Option<HeaderValue>,
}

/// An answer that says that it was done.
#[derive(Debug)]
pub(crate) struct Answer {
    at: Address,
    body: Incoming,
    /// What moves the connection on; it ends with the answer.
    _connection: JoinSet<()>,
}

impl Client {
    /// Where it is asked.
    pub(crate) const fn at(&self) -> &Address {
        &self.at
    }

    /// Shows this key, where there is one that can be sent.
    pub(super) fn new(at: Address, key: Option<OsString>) -> Self {
        let key = key.filter(|key| !key.is_empty());
        let key = key.and_then(|key| {
            let bearer = [b"Bearer ", key.as_encoded_bytes().trim_ascii()].concat();
            let mut field = HeaderValue::from_bytes(&bearer).ok()?;
            field.set_sensitive(true);
            Some(field)
        });
        Self { at, key }
    }

    /// Asks for what can be answered at once.
    ///
    /// # Errors
    /// No paddock answers, or it refuses.
    pub(crate) async fn ask(&self, method: Method, path: &str) -> Result<Answer, Trouble> {
        let asked = timeout(AT_ONCE, self.wait(method, path)).await;
        asked.unwrap_or_else(|_| Err(self.no_answer("it does not answer within 10 s")))
    }

    /// Asks for what may take its time, and waits for it.
    ///
    /// # Errors
    /// No paddock answers, or it refuses.
    pub(crate) async fn wait(&self, method: Method, path: &str) -> Result<Answer, Trouble> {
        let request = Request::builder().method(method).uri(path);
        self.answer(request, Bytes::new()).await
    }

    /// Posts JSON, and waits for the answer to begin.
    ///
    /// # Errors
    /// No paddock answers, or it refuses.
    pub(crate) async fn post(&self, path: &str, json: String) -> Result<Answer, Trouble> {
        let request = Request::builder().method(Method::POST).uri(path);
        let request = request.header(CONTENT_TYPE, "application/json");
        self.answer(request, json.into()).await
    }

    async fn answer(&self, request: Builder, body: Bytes) -> Result<Answer, Trouble> {
        let request = request.header(HOST, "localhost");
        let request = match &self.key {
            Some(key) => request.header(AUTHORIZATION, key),
            None => request,
        };
        let request = request.body(Full::new(body));
        // The path is made here, of encoded names.
        let request = request.map_err(|error| self.no_answer(&error.to_string()))?;
        let (response, connection) = match &self.at {
            Address::Tcp(address) => self.send(TcpStream::connect(address), request).await?,
            Address::Unix(socket) => self.send(UnixStream::connect(socket), request).await?,
        };
        let server = response.headers().get(SERVER);
        if !server.is_some_and(|name| name.as_bytes().starts_with(b"paddock/")) {
            return Err(self.not_paddock());
        }
        let status = response.status();
        let answer = Answer {
            at: self.at.clone(),
            body: response.into_body(),
            _connection: connection,
        };
        if status.is_success() {
            return Ok(answer);
        }
        if status == StatusCode::UNAUTHORIZED {
            let (at, shown) = (self.at.clone(), self.key.is_some());
            return Err(Trouble::NoKey { at, shown });
        }
        let refused = answer.whole().await?;
        Err(refusal(&refused).unwrap_or_else(|| Trouble::Refused {
            message: format!("paddock answers {status} and does not say why"),
            code: None,
        }))
    }

    async fn send<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
        &self,
        connecting: impl Future<Output = std::io::Result<S>>,
        request: Request<Full<Bytes>>,
    ) -> Result<(Response<Incoming>, JoinSet<()>), Trouble> {
        let stream = match timeout(AT_ONCE, connecting).await {
            Ok(connected) => connected.map_err(|error| self.no_answer(&error.to_string()))?,
            Err(_) => return Err(self.no_answer("it cannot be reached within 10 s")),
        };
        // Only a stream that is broken already fails here.
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|_| self.not_paddock())?;
        let mut moving = JoinSet::new();
        moving.spawn(async move {
            // How it ends is seen in the answer.
            let _ended = connection.await;
        });
        let response = sender.send_request(request).await;
        Ok((response.map_err(|_| self.not_paddock())?, moving))
    }

    fn no_answer(&self, why: &str) -> Trouble {
        Trouble::NoAnswer {
            at: self.at.clone(),
            why: why.to_owned(),
        }
    }

    fn not_paddock(&self) -> Trouble {
        Trouble::NotPaddock {
            at: self.at.clone(),
        }
    }
}

impl Answer {
    /// What comes next of the answer; nothing at its end.
    ///
    /// # Errors
    /// The connection breaks off.
    pub(crate) async fn piece(&mut self) -> Result<Option<Bytes>, Trouble> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|_| self.gone())?;
            // Trailers say nothing here.
            if let Ok(piece) = frame.into_data() {
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }

    /// All of the answer.
    ///
    /// # Errors
    /// The connection breaks off.
    pub(crate) async fn whole(mut self) -> Result<Vec<u8>, Trouble> {
        let mut bytes = Vec::new();
        while let Some(piece) = self.piece().await? {
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }

    /// All of the answer, as JSON; null where it is none.
    ///
    /// # Errors
    /// The connection breaks off.
    pub(crate) async fn json(self) -> Result<Value, Trouble> {
        let bytes = self.whole().await?;
        Ok(serde_json::from_slice(&bytes).unwrap_or_default())
    }

    /// That no more will come, though more could.
    pub(crate) fn gone(&self) -> Trouble {
        Trouble::Gone {
            at: self.at.clone(),
        }
    }
}

/// What a refusal says, without what could steer a terminal: the message of an error, of a failure, or of a decision.
pub(crate) fn refusal(body: &[u8]) -> Option<Trouble> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let text = |value: &Value| value.as_str().map(output::printable_lines);
    let said = [
        &body["error"]["message"],
        &body["failure"]["message"],
        &body["message"],
    ];
    Some(Trouble::Refused {
        message: said.into_iter().find_map(text)?,
        code: text(&body["error"]["code"]),
    })
}

#[cfg(test)]
mod tests {
    use super::refusal;

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
            let refused = refusal(body.as_bytes()).map(|trouble| trouble.to_string());
            assert_eq!(refused.as_deref(), message);
        }
    }
}
