use super::retry::{Then, Tried, then};
use crate::config::HttpUrl;
use crate::outgoing::{Answer, Silent, in_words, post};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use hyper::body::Bytes;
use tokio::time::{Instant, sleep};

/// The longest answer that is read, in bytes.
const MOST: usize = 64 * 1024;

/// Sends one signal, and remembers whether that went well.
#[derive(Debug)]
pub(super) struct Delivery {
    signal: &'static str,
    /// What has been said of it in the log, until it goes well again.
    trouble: bool,
}

impl Delivery {
    /// Of `traces` or `metrics`.
    pub(super) fn of(signal: &'static str) -> Self {
        Self {
            signal,
            trouble: false,
        }
    }

    /// Sends, as often as can help. What was answered by whoever took it.
    pub(super) async fn send(&mut self, to: &HttpUrl, body: Vec<u8>) -> Option<Bytes> {
        let target = format!("{}/v1/{}", to.path(), self.signal);
        let protobuf = HeaderValue::from_static("application/x-protobuf");
        let fields = HeaderMap::from_iter([(CONTENT_TYPE, protobuf)]);
        let body = Bytes::from(body);
        let (began, mut tries) = (Instant::now(), 0);
        loop {
            let answer = post(to, &target, fields.clone(), body.clone(), MOST).await;
            let tried = match &answer {
                Ok(answer) => Tried::Status(answer.status.as_u16(), answer.retry_after),
                Err(_) => Tried::Silence,
            };
            match then(tried, tries, began.elapsed(), fastrand::f64()) {
                Then::Done => {
                    self.went_well(to);
                    return answer.ok().map(|answer| answer.body);
                }
                Then::Again(wait) => {
                    self.went_badly(to, &answer, true);
                    sleep(wait).await;
                    tries += 1;
                }
                Then::Never => {
                    self.went_badly(to, &answer, false);
                    return None;
                }
            }
        }
    }

    fn went_well(&mut self, to: &HttpUrl) {
        if std::mem::take(&mut self.trouble) {
            tracing::info!(endpoint = %to, "{} are taken again", self.signal);
        }
    }

    /// Says it once.
    fn went_badly(&mut self, to: &HttpUrl, answer: &Result<Answer, Silent>, again: bool) {
        let error = in_words(answer);
        let signal = self.signal;
        if std::mem::replace(&mut self.trouble, true) {
            tracing::debug!(endpoint = %to, %error, "{signal} are still not taken");
        } else if again {
            tracing::warn!(
                endpoint = %to, %error,
                "{signal} are not taken; they are sent again for a minute, then dropped"
            );
        } else {
            tracing::warn!(
                endpoint = %to, %error,
                "{signal} are not taken, and dropped: is there a collector that takes OTLP over HTTP?"
            );
        }
    }
}
