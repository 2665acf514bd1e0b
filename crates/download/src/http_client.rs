//! Sends GET requests and follows redirects. Private header fields, such as a token, go only to the origin that the
//! caller names.

mod answer;

use std::error::Error as _;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, LOCATION, RANGE};
use http::{HeaderMap, HeaderValue};
use paddock_models::without_secrets;
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};
use tokio::time::timeout;

use crate::error::HttpError;
use crate::limits;
use crate::redirect::{MAX_REDIRECTS, RedirectError};
use crate::redirect::{display_url, is_http, is_same_origin, resolve_redirect};
use crate::retry_policy::{Decision, decide};
use crate::tls_roots::build_tls_config;

/// A client that keeps connections open between requests. Clones share them.
#[derive(Debug, Clone)]
pub struct HttpClient {
    client: Client,
}

/// An answer whose body has not been read.
#[derive(Debug)]
pub(crate) struct OpenAnswer {
    response: Response,
    host: String,
}

impl HttpClient {
    /// Creates a client. Reads the system's root certificates; proxies are taken from `HTTPS_PROXY` and its relatives.
    ///
    /// # Errors
    ///
    /// [`HttpError::Setup`] if TLS cannot be set up.
    pub fn new(user_agent: &str) -> Result<Self, HttpError> {
        let tls = build_tls_config().map_err(|error| HttpError::Setup(error.to_string()))?;
        let client = Client::builder()
            .user_agent(user_agent)
            .tls_backend_preconfigured(tls)
            .http1_only()
            .redirect(Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .connect_timeout(limits::CONNECT_TIMEOUT)
            .build()
            .map_err(|error| HttpError::Setup(root_cause(&error)))?;
        Ok(Self { client })
    }

    /// Parses a URL.
    pub(crate) fn parse_url(text: &str) -> Result<Url, HttpError> {
        let url = Url::parse(text).ok().filter(is_http);
        url.ok_or_else(|| HttpError::InvalidUrl(without_secrets(text)))
    }

    /// Requests a URL, or a range of its bytes, and follows redirects. `private` is sent as long as no redirect has
    /// led to another origin.
    ///
    /// Each answer's head must arrive within `stall`.
    pub(crate) async fn get(
        &self,
        url: &Url,
        private: &HeaderMap,
        range: Option<&Range<u64>>,
        stall: Duration,
    ) -> Result<OpenAnswer, HttpError> {
        let mut target = url.clone();
        let mut is_private = true;
        for _ in 0..=MAX_REDIRECTS {
            // A redirect back to the first origin does not bring the fields back: another host has chosen its target.
            is_private &= is_same_origin(url, &target);
            let fields = if is_private {
                private.clone()
            } else {
                HeaderMap::new()
            };
            let response = self.send(&target, fields, range, stall).await?;
            let Some(location) = redirect_location(&response) else {
                return answer::check_status(OpenAnswer::new(response, &target), &target, stall)
                    .await;
            };
            target = resolve_redirect(&target, &location).map_err(|cause| HttpError::Redirect {
                url: display_url(&target),
                cause,
            })?;
        }
        Err(HttpError::Redirect {
            url: display_url(url),
            cause: RedirectError::TooMany,
        })
    }

    async fn send(
        &self,
        url: &Url,
        fields: HeaderMap,
        range: Option<&Range<u64>>,
        stall: Duration,
    ) -> Result<Response, HttpError> {
        let mut request = self.client.get(url.clone()).headers(fields);
        // Digests and ranges are those of the file, not of a compressed form.
        request = request.header(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(range) = range {
            let last = range.end.saturating_sub(1);
            request = request.header(RANGE, format!("bytes={}-{last}", range.start));
        }
        let host = host_and_port(url);
        match timeout(stall, request.send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(classify(&error, host)),
            Err(_) => Err(HttpError::Stalled { host, limit: stall }),
        }
    }

    /// Reads an answer of at most [`limits::MAX_JSON_BYTES`]. Repeats the request after temporary failures.
    pub(crate) async fn get_small(
        &self,
        url: &str,
        private: &HeaderMap,
    ) -> Result<Bytes, HttpError> {
        let url = Self::parse_url(url)?;
        let mut failures = 0;
        loop {
            let error = match Box::pin(self.try_get_small(&url, private)).await {
                Ok(body) => return Ok(body),
                Err(error) => error,
            };
            let Decision::RetryAfter(pause) = decide(&error, failures, false) else {
                return Err(error);
            };
            tracing::debug!(%error, ?pause, "retrying a request");
            failures += 1;
            tokio::time::sleep(pause).await;
        }
    }

    async fn try_get_small(&self, url: &Url, private: &HeaderMap) -> Result<Bytes, HttpError> {
        let stall = limits::STALL_TIMEOUT;
        let answer = self.get(url, private, None, stall).await?;
        answer.read_all(limits::MAX_JSON_BYTES, stall).await
    }
}

impl OpenAnswer {
    fn new(response: Response, url: &Url) -> Self {
        let host = host_and_port(url);
        Self { response, host }
    }

    pub(crate) fn status(&self) -> http::StatusCode {
        self.response.status()
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// Returns the next bytes of the body, or `None` at its end.
    pub(crate) async fn next_chunk(&mut self, stall: Duration) -> Result<Option<Bytes>, HttpError> {
        match timeout(stall, self.response.chunk()).await {
            Ok(Ok(chunk)) => Ok(chunk),
            Ok(Err(error)) => Err(HttpError::Broken {
                host: self.host.clone(),
                cause: root_cause(&error),
            }),
            Err(_) => Err(HttpError::Stalled {
                host: self.host.clone(),
                limit: stall,
            }),
        }
    }

    /// Reads the body, up to a limit.
    pub(crate) async fn read_all(
        mut self,
        limit: usize,
        stall: Duration,
    ) -> Result<Bytes, HttpError> {
        let mut body = Vec::new();
        while let Some(chunk) = self.next_chunk(stall).await? {
            if body.len() + chunk.len() > limit {
                let url = display_url(self.response.url());
                return Err(HttpError::TooLong { url, limit });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.into())
    }
}

/// Returns the target of a redirect.
fn redirect_location(response: &Response) -> Option<String> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    Some(location.to_owned())
}

fn host_and_port(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Classifies an error that arrived in place of an answer's head.
fn classify(error: &reqwest::Error, host: String) -> HttpError {
    let cause = root_cause(error);
    let mut causes = std::iter::successors(error.source(), |error| (*error).source());
    let is_tls = causes.any(is_tls_error);
    match error.is_connect() {
        true if is_tls => HttpError::Tls { host, cause },
        true => HttpError::Connect { host, cause },
        false => HttpError::Broken { host, cause },
    }
}

/// Returns true for an error of rustls, and for an I/O error that contains one.
fn is_tls_error(error: &(dyn std::error::Error + 'static)) -> bool {
    let io: Option<&std::io::Error> = error.downcast_ref();
    match io.and_then(std::io::Error::get_ref) {
        Some(inner) => is_tls_error(inner),
        None => error.is::<rustls::Error>(),
    }
}

/// Returns the innermost cause. The outer messages contain the URL with its query.
fn root_cause(error: &reqwest::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| (*error).source());
    match causes.last() {
        Some(cause) => cause.to_string(),
        None if error.is_timeout() => "timed out".to_owned(),
        None => "the request failed".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_are_no_url_are_shown_without_secrets() {
        for (text, expected) in [
            ("user:SECRET@hub", "hub"),
            ("ftp://user:SECRET@h/x.gguf?SECRET", "ftp://h/x.gguf"),
            ("https://user:pa/SECRET@host/x.gguf", "https://host/x.gguf"),
            ("hub.example", "hub.example"),
        ] {
            let error = HttpClient::parse_url(text).unwrap_err();
            assert!(
                matches!(&error, HttpError::InvalidUrl(shown) if shown == expected),
                "{text}: {error}"
            );
        }
    }
}
