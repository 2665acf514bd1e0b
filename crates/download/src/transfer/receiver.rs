//! Receives the missing bytes of a file over several connections. One owner of all state: connections are futures that
//! deliver to [`Receiver::run`].

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::{BoxFuture, FutureExt as _};
use futures_util::stream::FuturesUnordered;
use http::StatusCode;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, LAST_MODIFIED};
use reqwest::Url;

use super::step::{self, Connection, Step, StepEnd};
use super::{FileRequest, Progress};
use crate::HttpClient;
use crate::content_range::parse_content_range;
use crate::error::{HttpError, TransferError};
use crate::free_space::check_free_space;
use crate::http_client::OpenAnswer;
use crate::limits;
use crate::part_file::{MAX_LFS_POINTER_BYTES, PartFile, is_lfs_pointer};
use crate::part_record::Content;
use crate::pieces::{next_piece, piece_bytes};
use crate::redirect::display_url;
use crate::retry_policy::{Decision, decide};

/// The receiving side of one transfer.
pub(super) struct Receiver<'a, F> {
    client: &'a HttpClient,
    url: &'a Url,
    request: &'a FileRequest,
    stall: Duration,
    part: &'a mut PartFile,
    progress: &'a F,
    steps: FuturesUnordered<BoxFuture<'static, Step>>,
    /// Ranges that connections have requested, by connection.
    requested: Vec<(usize, Range<u64>)>,
    /// Connections in use at most: one until a server has shown that it supports ranges.
    max_connections: usize,
    next_id: usize,
    restarts: u32,
    has_received: bool,
    last_error: Option<HttpError>,
}

impl<'a, F: Fn(Progress)> Receiver<'a, F> {
    pub(super) fn new(
        client: &'a HttpClient,
        url: &'a Url,
        request: &'a FileRequest,
        stall: Duration,
        part: &'a mut PartFile,
        progress: &'a F,
    ) -> Self {
        Self {
            client,
            url,
            request,
            stall,
            part,
            progress,
            steps: FuturesUnordered::new(),
            requested: Vec::new(),
            max_connections: 1,
            next_id: 0,
            restarts: 0,
            has_received: false,
            last_error: None,
        }
    }

    /// Receives until the file is complete.
    pub(super) async fn run(mut self) -> Result<(), TransferError> {
        self.open_connections();
        while !self.part.is_complete() {
            let Some((connection, end)) = self.steps.next().await else {
                let lost = || HttpError::Broken {
                    host: display_url(self.url),
                    cause: "no connection is left".to_owned(),
                };
                return Err(self.last_error.take().unwrap_or_else(lost).into());
            };
            match end {
                StepEnd::Opened(answer) => self.accept(connection, answer).await?,
                StepEnd::Arrived(answer, bytes) => self.store(connection, answer, &bytes)?,
                StepEnd::Ended => {
                    let error = HttpError::Broken {
                        host: display_url(self.url),
                        cause: "it ended before its last byte".to_owned(),
                    };
                    self.handle_failure(connection, error)?;
                }
                StepEnd::Failed(error) => self.handle_failure(connection, error)?,
                StepEnd::Rested => self.request_piece(connection.failures),
            }
            if self.part.is_checkpoint_due() {
                self.part.checkpoint().await?;
            }
        }
        Ok(())
    }

    /// Opens connections as long as there are pieces for them.
    fn open_connections(&mut self) {
        while self.steps.len() < self.max_connections {
            let before = self.steps.len();
            self.request_piece(0);
            if self.steps.len() == before {
                return;
            }
        }
    }

    /// Requests the next missing piece, if there is one.
    fn request_piece(&mut self, failures: u32) {
        let known = self
            .part
            .content()
            .map(|content| content.size)
            .or(self.request.size);
        // The first answer states the size.
        let size = known.unwrap_or(limits::PIECE_BYTES.0);
        let max_bytes = piece_bytes(size, self.connections());
        let requested = self.requested.iter().map(|(_, range)| range.clone());
        let Some(range) = next_piece(self.part.complete(), requested, size, max_bytes) else {
            return;
        };
        let id = self.next_id;
        self.next_id += 1;
        self.requested.push((id, range.clone()));
        let connection = Connection {
            id,
            range,
            failures,
        };
        let (client, url, headers) = (
            self.client.clone(),
            self.url.clone(),
            self.request.headers.clone(),
        );
        self.steps
            .push(step::request(client, url, headers, self.stall, connection).boxed());
    }

    fn connections(&self) -> usize {
        self.request.connections.clamp(1, limits::MAX_CONNECTIONS)
    }

    /// Checks an answer's head, and begins to read.
    async fn accept(
        &mut self,
        mut connection: Connection,
        answer: OpenAnswer,
    ) -> Result<(), TransferError> {
        self.check_encoding(&answer)?;
        let is_partial = answer.status() == StatusCode::PARTIAL_CONTENT;
        let Some((content, range)) = self.describe(&answer) else {
            return Err(match is_partial {
                true => self.unexpected("its Content-Range is missing or wrong"),
                false => TransferError::NoSize {
                    url: display_url(self.url),
                },
            });
        };
        if let Some(expected) = self.request.size.filter(|&size| size != content.size) {
            return Err(self.explain_size(answer, content.size, expected).await);
        }
        if is_partial {
            if range.start != connection.range.start {
                return Err(self.unexpected("it sent another range than requested"));
            }
            let known = self.part.content().cloned();
            if known.is_some_and(|known| !self.part.source().is_same_content(&known, &content)) {
                self.restart("the file at the server has changed")?;
                self.open_connections();
                return Ok(());
            }
            connection.range.end = connection.range.end.min(range.end);
            self.max_connections = self.connections();
        } else {
            // The server ignores ranges: this answer is the whole file.
            if self.part.complete().count() > 0 {
                self.restart("the server cannot resume a download")?;
            }
            self.steps.clear();
            self.max_connections = 1;
            connection.range = 0..content.size;
        }
        self.requested
            .retain(|(id, _)| is_partial && *id != connection.id);
        self.requested
            .push((connection.id, connection.range.clone()));
        self.begin(content)?;
        self.steps
            .push(step::read(answer, self.stall, connection).boxed());
        self.open_connections();
        Ok(())
    }

    /// Refuses a compressed body, unless a digest will show whether it is the file itself.
    fn check_encoding(&self, answer: &OpenAnswer) -> Result<(), TransferError> {
        let encoding = answer.headers().get(CONTENT_ENCODING);
        let is_identity =
            encoding.is_none_or(|value| value.as_bytes().eq_ignore_ascii_case(b"identity"));
        let has_digest = self.request.sha256.is_some() || self.request.git_blob.is_some();
        if is_identity || has_digest {
            return Ok(());
        }
        Err(self.unexpected("its body has a Content-Encoding, although none was asked for"))
    }

    /// Notes the content that the server offers, and checks the disk at the first answer.
    fn begin(&mut self, content: Content) -> Result<(), TransferError> {
        let size = content.size;
        let is_first = !self.has_received && self.requested.len() == 1;
        self.part.set_content(content);
        if is_first {
            let needed = size.saturating_sub(self.part.allocated_bytes());
            check_free_space(self.part.directory(), needed)?;
            let held = self.part.complete().count();
            (self.progress)(Progress::Started { held, size });
        }
        Ok(())
    }

    /// Returns the content and the range of an answer.
    fn describe(&self, answer: &OpenAnswer) -> Option<(Content, Range<u64>)> {
        let field = |name| answer.headers().get(name)?.to_str().ok();
        let validator = field(ETAG)
            .or_else(|| field(LAST_MODIFIED))
            .map(str::to_owned);
        let (size, range) = if answer.status() == StatusCode::PARTIAL_CONTENT {
            let range = parse_content_range(field(CONTENT_RANGE)?)?;
            (range.size, range.start..range.end)
        } else {
            let stated = field(CONTENT_LENGTH).and_then(|text| text.parse().ok());
            let size = stated.or(self.request.size)?;
            (size, 0..size)
        };
        Some((Content { size, validator }, range))
    }

    /// Stores bytes that have arrived, and continues.
    fn store(
        &mut self,
        mut connection: Connection,
        answer: OpenAnswer,
        bytes: &Bytes,
    ) -> Result<(), TransferError> {
        let wanted =
            usize::try_from(connection.range.end - connection.range.start).unwrap_or(usize::MAX);
        let bytes = &bytes[..bytes.len().min(wanted)];
        self.part.write(connection.range.start, bytes)?;
        connection.range.start += bytes.len() as u64;
        connection.failures = 0;
        self.has_received |= !bytes.is_empty();
        if let Some(size) = self.part.content().map(|content| content.size) {
            let received = self.part.complete().count();
            (self.progress)(Progress::Received { received, size });
        }
        if connection.range.is_empty() {
            self.requested.retain(|(id, _)| *id != connection.id);
            self.request_piece(0);
        } else {
            self.steps
                .push(step::read(answer, self.stall, connection).boxed());
        }
        Ok(())
    }

    /// Decides what follows a failure. A connection that fails for good ends the transfer only if it is the last one,
    /// because some servers limit the number of connections.
    fn handle_failure(
        &mut self,
        mut connection: Connection,
        error: HttpError,
    ) -> Result<(), TransferError> {
        self.requested.retain(|(id, _)| *id != connection.id);
        let is_past_the_end = error.status() == Some(StatusCode::RANGE_NOT_SATISFIABLE);
        if is_past_the_end && self.request.sha256.is_none() && self.part.content().is_some() {
            self.restart("the file at the server has become shorter")?;
            self.open_connections();
            return Ok(());
        }
        let pause = match decide(&error, connection.failures, self.has_received) {
            Decision::RetryAfter(pause) => pause,
            Decision::GiveUp if self.steps.is_empty() => return Err(error.into()),
            Decision::GiveUp => {
                self.last_error = Some(error);
                return Ok(());
            }
        };
        connection.failures += 1;
        (self.progress)(Progress::Retrying {
            after: pause,
            reason: error.to_string(),
        });
        self.steps.push(step::rest(pause, connection).boxed());
        Ok(())
    }

    /// Discards everything that has arrived.
    fn restart(&mut self, reason: &str) -> Result<(), TransferError> {
        self.restarts += 1;
        if self.restarts > limits::MAX_RESTARTS {
            return Err(TransferError::Restarts {
                url: display_url(self.url),
                restarts: self.restarts,
                reason: reason.to_owned(),
            });
        }
        self.steps.clear();
        self.requested.clear();
        self.max_connections = 1;
        self.part.reset()?;
        (self.progress)(Progress::Restarted {
            reason: reason.to_owned(),
        });
        Ok(())
    }

    /// Returns the error for a file of another size than expected.
    async fn explain_size(&self, answer: OpenAnswer, actual: u64, expected: u64) -> TransferError {
        let url = display_url(self.url);
        if actual <= MAX_LFS_POINTER_BYTES {
            let limit = usize::try_from(MAX_LFS_POINTER_BYTES).unwrap_or(usize::MAX);
            let body = answer.read_all(limit, self.stall).await;
            if body.is_ok_and(|body| is_lfs_pointer(&body)) {
                return TransferError::LfsPointer { url };
            }
        }
        TransferError::WrongSize {
            url,
            expected,
            actual,
        }
    }

    fn unexpected(&self, cause: &str) -> TransferError {
        HttpError::Unexpected {
            url: display_url(self.url),
            cause: cause.to_owned(),
        }
        .into()
    }
}
