//! Scrapes the metrics of llama-server children, for paddock's own `/metrics`.
//!
//! A child answers from its inference thread, and its gauges cover the time since its last scrape. So paddock scrapes
//! children only for a scrape of its own `/metrics`, and each child at most once per [`SCRAPE_INTERVAL`]. In between,
//! paddock repeats the child's last answer.

use super::engine_text::{EngineMetrics, merge};
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

/// Shortest time between two scrapes of a child.
const SCRAPE_INTERVAL: Duration = Duration::from_secs(10);

/// Longest wait for a child, which does not answer while it processes a long prompt.
const SCRAPE_TIMEOUT: Duration = Duration::from_secs(1);

/// Longest answer to read, in bytes. llama-server's has about 3,000.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// The last metrics of each running child, shared by concurrent scrapes.
#[derive(Debug, Clone, Default)]
pub(crate) struct EngineScraper(Arc<Mutex<HashMap<ModelId, CachedMetrics>>>);

/// The last metrics of a child.
#[derive(Debug)]
struct CachedMetrics {
    /// Number of the child among those that were started for its model.
    generation: u64,
    /// Start of the last scrape.
    scraped_at: Instant,
    metrics: Option<Arc<EngineMetrics>>,
}

/// A ready child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ReadyChild<'a> {
    model: ModelId,
    name: &'a str,
    generation: u64,
    address: &'a Address,
    processes: Option<&'a ChildProcesses>,
}

/// A reason why a child has no metrics.
#[derive(Debug, thiserror::Error)]
enum ScrapeError {
    #[error(transparent)]
    Silent(#[from] HttpClientError),
    #[error("the child answered with status {0}")]
    Status(StatusCode),
}

impl EngineScraper {
    /// Returns the metrics of the children of included models, in Prometheus' format. Waits at most
    /// [`SCRAPE_TIMEOUT`].
    pub(super) async fn scrape(
        &self,
        view: &RuntimeSnapshot,
        is_included: impl Fn(ModelId) -> bool,
    ) -> String {
        let children: Vec<ReadyChild<'_>> = view
            .models
            .iter()
            .filter_map(ReadyChild::from_model)
            .collect();
        let due = self.take_due(&children, Instant::now());
        join_all(due.into_iter().map(|child| self.scrape_child(child))).await;
        let cache = self.lock_cache();
        let metrics: Vec<(&str, Arc<EngineMetrics>)> = children
            .iter()
            .filter(|child| is_included(child.model))
            .filter_map(|child| {
                let metrics = cache.get(&child.model)?.metrics.as_ref()?;
                Some((child.name, Arc::clone(metrics)))
            })
            .collect();
        drop(cache);
        let metrics: Vec<_> = metrics
            .iter()
            .map(|(name, metrics)| (*name, &**metrics))
            .collect();
        merge(&metrics)
    }

    /// Returns the children to scrape now and marks them as scraped, so that concurrent scrapes skip them. Forgets
    /// children that have ended.
    fn take_due<'a>(&self, children: &[ReadyChild<'a>], now: Instant) -> Vec<ReadyChild<'a>> {
        let mut cache = self.lock_cache();
        cache.retain(|model, entry| {
            let is_current = |child: &ReadyChild<'_>| {
                (child.model, child.generation) == (*model, entry.generation)
            };
            children.iter().any(is_current)
        });
        let mut due = Vec::new();
        for child in children {
            let entry = cache.get_mut(&child.model);
            match entry {
                Some(entry) if now.duration_since(entry.scraped_at) < SCRAPE_INTERVAL => continue,
                Some(entry) => entry.scraped_at = now,
                None => {
                    let generation = child.generation;
                    cache.insert(
                        child.model,
                        CachedMetrics {
                            generation,
                            scraped_at: now,
                            metrics: None,
                        },
                    );
                }
            }
            due.push(*child);
        }
        due
    }

    /// Scrapes a child and caches its metrics.
    async fn scrape_child(&self, child: ReadyChild<'_>) {
        match fetch_metrics(child).await {
            Ok(text) => {
                let metrics = Arc::new(EngineMetrics::parse(&text));
                let mut cache = self.lock_cache();
                let entry = cache.get_mut(&child.model);
                if let Some(entry) = entry.filter(|entry| entry.generation == child.generation) {
                    entry.metrics = Some(metrics);
                }
            }
            Err(error) => {
                tracing::debug!(model = child.name, %error, "the child's own metrics are not available");
            }
        }
    }

    fn lock_cache(&self) -> MutexGuard<'_, HashMap<ModelId, CachedMetrics>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> ReadyChild<'a> {
    fn from_model(model: &'a ModelDetails) -> Option<Self> {
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

/// Requests `/metrics` of a child.
async fn fetch_metrics(child: ReadyChild<'_>) -> Result<Bytes, ScrapeError> {
    let request = Request::get("/metrics").header(HOST, "localhost");
    let request = request
        .body(Full::default())
        .map_err(HttpClientError::from)?;
    let connecting = Stream::connect(child.address, child.processes);
    let answer =
        http_client::send_request(connecting, request, MAX_ANSWER_BYTES, SCRAPE_TIMEOUT).await?;
    match answer.status {
        StatusCode::OK => Ok(answer.body),
        status => Err(ScrapeError::Status(status)),
    }
}

#[cfg(test)]
mod tests;
