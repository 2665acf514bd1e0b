//! What the engines count themselves.
//!
//! A child answers from its inference thread, and its gauges speak of the time since it was asked last. So
//! it is asked only while somebody scrapes paddock, and seldom; in between, what it said last is repeated.

use super::said::{Said, together};
use axum::body::Bytes;
use axum::http::header::HOST;
use axum::http::{Request, StatusCode};
use futures_util::future::join_all;
use http_body_util::Full;
use paddock_proxy::Stream;
use paddock_runtime::{ModelDetails, RuntimeSnapshot};
use paddock_scheduler::ModelId;
use paddock_supervisor::{Address, ChildProcesses, State};
use paddock_telemetry::http_client::{self, HttpClientError};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long what a child has said is repeated before it is asked again.
const OFTEN: Duration = Duration::from_secs(10);

/// How long a scrape waits for a child: one that is in the middle of a long prompt does not answer.
const LIMIT: Duration = Duration::from_secs(1);

/// The longest answer that is read, in bytes. llama-server's has about 3,000.
const MOST: usize = 1 << 20;

/// What the children of now have said, for those who scrape.
#[derive(Debug, Clone, Default)]
pub(crate) struct Engines(Arc<Mutex<HashMap<ModelId, Heard>>>);

/// What a child has said.
#[derive(Debug)]
struct Heard {
    generation: u64,
    /// When it was asked last.
    asked: Instant,
    said: Option<Arc<Said>>,
}

/// A child that serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Child<'a> {
    model: ModelId,
    name: &'a str,
    generation: u64,
    address: &'a Address,
    processes: Option<&'a ChildProcesses>,
}

/// Why a child says nothing.
#[derive(Debug, thiserror::Error)]
enum Unsaid {
    #[error(transparent)]
    Silent(#[from] HttpClientError),
    #[error("it answered with {0}")]
    Status(StatusCode),
}

impl Engines {
    /// Returns the metrics of every child that serves a model of which this is true, as a part of a page. Waits a
    /// second at most.
    pub(super) async fn page(
        &self,
        view: &RuntimeSnapshot,
        is_shown: impl Fn(ModelId) -> bool,
    ) -> String {
        let children: Vec<Child<'_>> = view.models.iter().filter_map(Child::of).collect();
        let due = self.due(&children, Instant::now());
        join_all(due.into_iter().map(|child| self.hear(child))).await;
        let heard = self.heard();
        let said: Vec<(&str, Arc<Said>)> = children
            .iter()
            .filter(|child| is_shown(child.model))
            .filter_map(|child| {
                let said = heard.get(&child.model)?.said.as_ref()?;
                Some((child.name, Arc::clone(said)))
            })
            .collect();
        drop(heard);
        let said: Vec<_> = said.iter().map(|(name, said)| (*name, &**said)).collect();
        together(&said)
    }

    /// Those that are to be asked now; others that scrape at the same time do not ask them. What others
    /// have said that are gone is forgotten.
    fn due<'a>(&self, children: &[Child<'a>], now: Instant) -> Vec<Child<'a>> {
        let mut heard = self.heard();
        heard.retain(|model, heard| {
            let is =
                |child: &Child<'_>| (child.model, child.generation) == (*model, heard.generation);
            children.iter().any(is)
        });
        let mut due = Vec::new();
        for child in children {
            let before = heard.get_mut(&child.model);
            match before {
                Some(before) if now.duration_since(before.asked) < OFTEN => continue,
                Some(before) => before.asked = now,
                None => {
                    let generation = child.generation;
                    heard.insert(
                        child.model,
                        Heard {
                            generation,
                            asked: now,
                            said: None,
                        },
                    );
                }
            }
            due.push(*child);
        }
        due
    }

    /// Asks a child, and keeps what it says.
    async fn hear(&self, child: Child<'_>) {
        match ask(child).await {
            Ok(said) => {
                let said = Arc::new(Said::read(&said));
                let mut heard = self.heard();
                let heard = heard.get_mut(&child.model);
                if let Some(heard) = heard.filter(|heard| heard.generation == child.generation) {
                    heard.said = Some(said);
                }
            }
            Err(error) => tracing::debug!(model = child.name, %error, "no metrics of its own"),
        }
    }

    fn heard(&self) -> MutexGuard<'_, HashMap<ModelId, Heard>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Child<'a> {
    fn of(model: &'a ModelDetails) -> Option<Self> {
        match &model.state {
            Some(State::Ready {
                generation,
                listener,
                ..
            }) => Some(Self {
                model: model.id,
                name: &model.config.id,
                generation: *generation,
                address: &listener.address,
                processes: Some(&listener.processes),
            }),
            _ => None,
        }
    }
}

/// Asks a child for its metrics.
async fn ask(child: Child<'_>) -> Result<Bytes, Unsaid> {
    let request = Request::get("/metrics").header(HOST, "localhost");
    let request = request
        .body(Full::default())
        .map_err(HttpClientError::from)?;
    let connecting = Stream::connect(child.address, child.processes);
    let answer = http_client::send_request(connecting, request, MOST, LIMIT).await?;
    match answer.status {
        StatusCode::OK => Ok(answer.body),
        status => Err(Unsaid::Status(status)),
    }
}

#[cfg(test)]
mod tests;
