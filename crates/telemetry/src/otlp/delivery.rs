//! Sends one request to the collector until it is accepted or must be dropped.

use super::retry_policy::{Attempt, RetryDecision, decide_retry};
use crate::http_client::{HttpAnswer, HttpClient, HttpClientError, describe};
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use hyper::body::Bytes;
use paddock_config::Collector;
use tokio::time::{Instant, sleep};

/// Maximum bytes read of an answer.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Sends one signal (`traces` or `metrics`) to the collector, and logs changes between success and failure.
#[derive(Debug)]
pub(super) struct Delivery {
    signal: &'static str,
    client: HttpClient,
    /// The last attempt failed, and that has been logged.
    failing: bool,
}

impl Delivery {
    /// Creates the delivery of `traces` or `metrics`.
    pub(super) fn new(signal: &'static str, client: HttpClient) -> Self {
        Self {
            signal,
            client,
            failing: false,
        }
    }

    /// Sends `body`, with retries. Returns the collector's answer, or None if the body was dropped.
    pub(super) async fn send(&mut self, to: &Collector, body: Vec<u8>) -> Option<Bytes> {
        let target = format!("{}/v1/{}", to.url.path(), self.signal);
        let protobuf = HeaderValue::from_static("application/x-protobuf");
        let mut fields = to.fields.clone();
        fields.insert(CONTENT_TYPE, protobuf);
        let body = Bytes::from(body);
        let (began, mut tries) = (Instant::now(), 0);
        loop {
            let (fields, body) = (fields.clone(), body.clone());
            let posting = self
                .client
                .post(&to.url, &target, fields, body, MAX_ANSWER_BYTES);
            let answer = posting.await;
            let attempt = match &answer {
                Ok(answer) => Attempt::Status(answer.status.as_u16(), answer.retry_after),
                Err(_) => Attempt::NoAnswer,
            };
            match decide_retry(attempt, tries, began.elapsed(), fastrand::f64()) {
                RetryDecision::Done => {
                    self.report_recovery(to);
                    return answer.ok().map(|answer| answer.body);
                }
                RetryDecision::RetryAfter(wait) => {
                    self.report_failure(to, &answer, true);
                    sleep(wait).await;
                    tries += 1;
                }
                RetryDecision::GiveUp => {
                    self.report_failure(to, &answer, false);
                    return None;
                }
            }
        }
    }

    fn report_recovery(&mut self, to: &Collector) {
        if std::mem::take(&mut self.failing) {
            tracing::info!(endpoint = %to.url, "{} are being delivered again", self.signal);
        }
    }

    /// Logs the first failure as a warning, later ones at debug level.
    fn report_failure(
        &mut self,
        to: &Collector,
        answer: &Result<HttpAnswer, HttpClientError>,
        again: bool,
    ) {
        let error = describe(answer);
        let signal = self.signal;
        if std::mem::replace(&mut self.failing, true) {
            tracing::debug!(endpoint = %to.url, %error, "still cannot deliver {signal}");
        } else if again {
            tracing::warn!(
                endpoint = %to.url, %error,
                "cannot deliver {signal}; retrying for a minute, then dropping them"
            );
        } else {
            tracing::warn!(
                endpoint = %to.url, %error,
                "cannot deliver {signal}; dropped them: does this endpoint accept OTLP over HTTP?"
            );
        }
    }
}
