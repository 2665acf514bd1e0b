//! The steps of one connection: request, read, pause.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use reqwest::Url;

use crate::HttpClient;
use crate::error::HttpError;
use crate::http_client::OpenAnswer;

/// A connection of a transfer.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    pub(super) id: usize,
    /// The bytes that it still has to deliver.
    pub(super) range: Range<u64>,
    /// Failures since it last delivered a byte.
    pub(super) failures: u32,
}

/// The end of a step.
#[derive(Debug)]
pub(super) enum StepEnd {
    /// The server has answered with a success.
    Opened(OpenAnswer),
    /// Bytes have arrived.
    Arrived(OpenAnswer, Bytes),
    /// The answer has ended.
    Ended,
    /// The request failed.
    Failed(HttpError),
    /// The pause after a failure is over.
    Rested,
}

/// A connection, and the end of its current step.
pub(super) type Step = (Connection, StepEnd);

/// Requests the connection's range.
pub(super) async fn request(
    client: HttpClient,
    url: Url,
    headers: HeaderMap,
    stall: Duration,
    connection: Connection,
) -> Step {
    match client
        .get(&url, &headers, Some(&connection.range), stall)
        .await
    {
        Ok(answer) => (connection, StepEnd::Opened(answer)),
        Err(error) => (connection, StepEnd::Failed(error)),
    }
}

/// Reads the next bytes of an answer.
pub(super) async fn read(mut answer: OpenAnswer, stall: Duration, connection: Connection) -> Step {
    let end = match answer.next_chunk(stall).await {
        Ok(Some(bytes)) => StepEnd::Arrived(answer, bytes),
        Ok(None) => StepEnd::Ended,
        Err(error) => StepEnd::Failed(error),
    };
    (connection, end)
}

/// Pauses after a failure.
pub(super) async fn rest(pause: Duration, connection: Connection) -> Step {
    tokio::time::sleep(pause).await;
    (connection, StepEnd::Rested)
}
