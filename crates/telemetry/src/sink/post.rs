//! What is posted with a batch, and the token.

use super::batch::Batch;
use crate::outgoing::{Answer, Client, LIMIT, Silent};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, InvalidHeaderValue};
use http::{HeaderMap, HeaderValue};
use paddock_config::Events;
use paddock_supervisor::blocking;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use tokio::time::timeout;

/// The longest token, in bytes.
const TOKEN: u64 = 4096;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum PostError {
    #[error(transparent)]
    Silent(#[from] Silent),
    #[error("the token in {} cannot be read: {why}", path.display())]
    Token { path: PathBuf, why: io::Error },
    #[error("it cannot be asked so: {0}")]
    Field(#[from] InvalidHeaderValue),
}

/// Posts a batch. What is answered besides the status is not read.
pub(super) async fn post(client: &Client, to: &Events, batch: &Batch) -> Result<Answer, PostError> {
    let mut fields = HeaderMap::new();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    fields.insert(KEY, HeaderValue::from_str(&batch.key)?);
    if let Some(path) = &to.token_file {
        let token = timeout(LIMIT, token(path)).await;
        let token = token.unwrap_or(Err(Silent::Late(LIMIT).into()))?;
        let mut shown = HeaderValue::from_str(&format!("Bearer {token}"))?;
        shown.set_sensitive(true);
        fields.insert(AUTHORIZATION, shown);
    }
    let (target, body) = (to.url.target(), batch.body.clone());
    Ok(client.post(&to.url, target, fields, body, 0).await?)
}

/// What is in the file now: it may be another since the last post.
async fn token(path: &Path) -> Result<String, PostError> {
    let file = path.to_owned();
    let reading = blocking::run(move || {
        let mut text = String::new();
        File::open(file)?.take(TOKEN).read_to_string(&mut text)?;
        io::Result::Ok(text.trim().to_owned())
    });
    let read = reading.await.flatten();
    read.map_err(|why| PostError::Token {
        path: path.to_owned(),
        why,
    })
}
