//! Posts a batch: header fields and the bearer token.

use super::batch::PostBatch;
use crate::http_client::{HttpAnswer, HttpClient, HttpClientError, REQUEST_TIMEOUT};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, InvalidHeaderValue};
use http::{HeaderMap, HeaderValue};
use paddock_config::EventReceiver;
use paddock_supervisor::blocking;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use tokio::time::timeout;

/// Maximum length of a token, in bytes.
const MAX_TOKEN_BYTES: u64 = 4096;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Reason for a missing answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum PostError {
    #[error(transparent)]
    NoAnswer(#[from] HttpClientError),
    #[error("cannot read the token in {}: {cause}", path.display())]
    Token { path: PathBuf, cause: io::Error },
    #[error("invalid request: {0}")]
    Field(#[from] InvalidHeaderValue),
}

/// Posts a batch. Of the answer only the head is read.
pub(super) async fn post(
    client: &HttpClient,
    to: &EventReceiver,
    batch: &PostBatch,
) -> Result<HttpAnswer, PostError> {
    let mut fields = HeaderMap::new();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    fields.insert(IDEMPOTENCY_KEY, HeaderValue::from_str(&batch.key)?);
    if let Some(path) = &to.token_file {
        let token = timeout(REQUEST_TIMEOUT, read_token(path)).await;
        let token = token.unwrap_or(Err(HttpClientError::Timeout(REQUEST_TIMEOUT).into()))?;
        let mut bearer = HeaderValue::from_str(&format!("Bearer {token}"))?;
        bearer.set_sensitive(true);
        fields.insert(AUTHORIZATION, bearer);
    }
    let (target, body) = (to.url.target(), batch.body.clone());
    Ok(client.post(&to.url, target, fields, body, 0).await?)
}

/// Reads the token file anew for each post, as the token may have been replaced.
async fn read_token(path: &Path) -> Result<String, PostError> {
    let file = path.to_owned();
    let reading = blocking::run(move || {
        let mut text = String::new();
        File::open(file)?
            .take(MAX_TOKEN_BYTES)
            .read_to_string(&mut text)?;
        io::Result::Ok(text.trim().to_owned())
    });
    let read = reading.await.flatten();
    read.map_err(|cause| PostError::Token {
        path: path.to_owned(),
        cause,
    })
}
