use super::retry::{Then, Tried, then};
use crate::outgoing::{Answer, Client, Silent, in_words};
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use hyper::body::Bytes;
use paddock_config::Collector;
use tokio::time::{Instant, sleep};

/// The longest answer that is read, in bytes.
const MOST: usize = 64 * 1024;

/// Sends one signal, and remembers whether that went well.
#[derive(Debug)]
pub(super) struct Delivery {
    signal: &'static str,
    client: Client,
    /// What has been said of it in the log, until it goes well again.
    trouble: bool,
}

impl Delivery {
    /// Of `traces` or `metrics`.
    pub(super) fn of(signal: &'static str, client: Client) -> Self {
        Self {
            signal,
            client,
            trouble: false,
        }
    }

    /// Sends, as often as can help. What was answered by whoever took it.
    pub(super) async fn send(&mut self, to: &Collector, body: Vec<u8>) -> Option<Bytes> {
        let target = format!("{}/v1/{}", to.url.path(), self.signal);
        let protobuf = HeaderValue::from_static("application/x-protobuf");
        let mut fields = to.fields.clone();
        fields.insert(CONTENT_TYPE, protobuf);
        let body = Bytes::from(body);
        let (began, mut tries) = (Instant::now(), 0);
        loop {
            let (fields, body) = (fields.clone(), body.clone());
            let posting = self.client.post(&to.url, &target, fields, body, MOST);
            let answer = posting.await;
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

    fn went_well(&mut self, to: &Collector) {
        if std::mem::take(&mut self.trouble) {
            tracing::info!(endpoint = %to.url, "{} are taken again", self.signal);
        }
    }

    /// Says it once.
    fn went_badly(&mut self, to: &Collector, answer: &Result<Answer, Silent>, again: bool) {
        let error = in_words(answer);
        let signal = self.signal;
        if std::mem::replace(&mut self.trouble, true) {
            tracing::debug!(endpoint = %to.url, %error, "{signal} are still not taken");
        } else if again {
            tracing::warn!(
                endpoint = %to.url, %error,
                "{signal} are not taken; they are sent again for a minute, then dropped"
            );
        } else {
            tracing::warn!(
                endpoint = %to.url, %error,
                "{signal} are not taken, and dropped: is there a collector that takes OTLP over HTTP?"
            );
        }
    }
}
