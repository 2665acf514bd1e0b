//! `GET /metrics`: everything that is counted.

mod engines;
mod said;
mod text;

use super::status::word;
use super::{Admin, Counted, refusal};
use axum::Extension;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use paddock_admission::error::ProxyError;
use paddock_admission::keys::AuthenticatedKey;
use paddock_proxy::ConnectionLimiter;
use paddock_runtime::{self as runtime, ModelDetails};
use paddock_scheduler::Memory;
use paddock_telemetry::sink;
use paddock_telemetry::{
    Histogram, LatencyHistograms, MetricFamily, MetricSample, MetricValue, ModelCounts, ModelNames,
    WorkerCounts,
};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) use engines::Engines;

pub(super) async fn metrics(State(admin): State<Admin>) -> impl IntoResponse {
    answer(&admin, &AuthenticatedKey::default()).await
}

/// The same on the public plane, without the models that a key is not for.
pub(super) async fn public(
    State(counted): State<Counted>,
    Extension(key): Extension<AuthenticatedKey>,
) -> Response {
    match counted.get() {
        Some(admin) => answer(admin, &key).await.into_response(),
        None => refusal(&ProxyError::ShuttingDown),
    }
}

async fn answer(admin: &Admin, key: &AuthenticatedKey) -> impl IntoResponse + use<> {
    let look = admin.view.runtime.snapshot().await;
    let mut families = counted(admin, look.as_ref(), Apart::Models).await;
    if !key.is_for_all() {
        let models = look.iter().flat_map(|look| &look.models);
        let models = models.filter(|model| key.is_for(model.id));
        let names = models.map(|model| model.config.id.as_str());
        keep_models(&mut families, &names.collect());
    }
    let mut page = text::of(&families);
    if let Some(look) = &look {
        page += &admin.engines.page(look, |model| key.is_for(model)).await;
    }
    ([(CONTENT_TYPE, text::TYPE)], page)
}

/// Leaves out what is said of models other than these.
fn keep_models(families: &mut [MetricFamily], names: &BTreeSet<&str>) {
    let is_known = |(label, value): &(String, String)| {
        label != "model" || value.is_empty() || names.contains(value.as_str())
    };
    for family in families {
        family
            .samples
            .retain(|sample| sample.labels.iter().all(is_known));
    }
}

/// Everything that is counted here, now, as OpenTelemetry wants it.
pub(crate) async fn families(admin: &Admin) -> Vec<MetricFamily> {
    let look = admin.view.runtime.snapshot().await;
    counted(admin, look.as_ref(), Apart::Operations).await
}

async fn counted(
    admin: &Admin,
    look: Option<&runtime::RuntimeSnapshot>,
    apart: Apart,
) -> Vec<MetricFamily> {
    let counts = admin.workers.counts().await;
    let told = Told {
        lost_rows: admin.activity.lost(),
        lost_spans: admin.otlp.lost(),
        events: admin.events.as_deref(),
        connections: Some(&admin.view.connections),
    };
    page(look, counts, &told, apart)
}

/// By what the times of requests are told apart.
#[derive(Debug, Clone, Copy)]
enum Apart {
    Models,
    /// And what is asked of them; of requests that ask for none nothing is told.
    Operations,
}

/// What is counted apart from the workers.
struct Told<'a> {
    /// Rows that are counted and not listed, besides those that the workers have dropped.
    lost_rows: u64,
    lost_spans: u64,
    events: Option<&'a sink::PostCounts>,
    connections: Option<&'a ConnectionLimiter>,
}

fn page(
    look: Option<&runtime::RuntimeSnapshot>,
    counted: Vec<(WorkerCounts, ModelNames)>,
    told: &Told<'_>,
    apart: Apart,
) -> Vec<MetricFamily> {
    let mut page = Page::default();
    page.family(
        "paddock_build_info",
        "gauge",
        "1, and which paddock this is.",
    );
    let version = env!("CARGO_PKG_VERSION");
    page.sample("paddock_build_info", &[("version", version)], 1.0);
    let (models, dropped) = by_name(counted);
    requests(&mut page, &models);
    times(&mut page, &models, apart);
    waits(&mut page, &models);
    tokens(&mut page, &models);
    page.family(
        "paddock_activity_dropped_total",
        "counter",
        "Requests and events that are counted and not listed.",
    );
    let dropped = float(dropped + told.lost_rows);
    page.sample("paddock_activity_dropped_total", &[], dropped);
    page.family(
        "paddock_spans_dropped_total",
        "counter",
        "Spans that nobody took by OTLP in time.",
    );
    page.sample("paddock_spans_dropped_total", &[], float(told.lost_spans));
    if let Some(connections) = told.connections {
        clients(&mut page, connections);
    }
    if let Some(counts) = told.events {
        events(&mut page, counts);
    }
    if let Some(look) = look {
        states(&mut page, look);
        lives(&mut page, look);
        memory(&mut page, look);
    }
    page.0
}

/// Clients' connections.
fn clients(page: &mut Page, connections: &ConnectionLimiter) {
    let count = |count: usize| float(u64::try_from(count).unwrap_or(u64::MAX));
    let name = "paddock_connections";
    page.family(name, "gauge", "Clients' connections that are open, now.");
    page.sample(name, &[], count(connections.open_count()));
    let name = "paddock_connections_limit";
    page.family(
        name,
        "gauge",
        "The most connections of clients there may be.",
    );
    page.sample(name, &[], count(connections.limit()));
    let name = "paddock_connections_refused_total";
    page.family(name, "counter", "Clients' connections that were refused.");
    page.sample(name, &[], float(connections.refused_count()));
}

/// What became of events that are posted.
fn events(page: &mut Page, counts: &sink::PostCounts) {
    let name = "paddock_events_posted_total";
    page.family(name, "counter", "Events that their receiver has taken.");
    page.sample(name, &[], float(counts.posted()));
    let name = "paddock_events_dropped_total";
    page.family(name, "counter", "Events that their receiver never gets.");
    for (reason, count) in counts.dropped() {
        page.sample(name, &[("reason", reason)], float(count));
    }
}

/// What all workers have counted, by the model's name; the empty name is for what reached none.
fn by_name(counted: Vec<(WorkerCounts, ModelNames)>) -> (BTreeMap<String, ModelCounts>, u64) {
    let mut models: BTreeMap<String, ModelCounts> = BTreeMap::new();
    let mut dropped = 0;
    for (counts, names) in counted {
        models
            .entry(String::new())
            .or_default()
            .merge(&counts.without_model);
        dropped += counts.dropped;
        for (place, model) in counts.models.iter().enumerate() {
            if let Some(Some(name)) = names.get(place) {
                models.entry(name.to_string()).or_default().merge(model);
            }
        }
    }
    (models, dropped)
}

fn requests(page: &mut Page, models: &BTreeMap<String, ModelCounts>) {
    let name = "paddock_requests_total";
    page.family(
        name,
        "counter",
        "Requests that have ended; status 0: the client left before one.",
    );
    for (model, counts) in models {
        for (key, count) in &counts.requests {
            let status = key.status.to_string();
            let labels = [
                ("model", model.as_str()),
                ("route", key.route.as_str()),
                ("status", &status),
                ("outcome", key.outcome.as_str()),
            ];
            page.sample(name, &labels, float(*count));
        }
    }
}

fn times(page: &mut Page, models: &BTreeMap<String, ModelCounts>, apart: Apart) {
    type Of = fn(&LatencyHistograms) -> &Histogram;
    let families: [(&str, &str, Of); 3] = [
        (
            "paddock_request_duration_seconds",
            "From a request's first byte to its answer's last one, of complete answers.",
            |times| &times.duration,
        ),
        (
            "paddock_time_to_first_token_seconds",
            "From a request's first byte to the first of a streamed answer's body.",
            |times| &times.ttft,
        ),
        (
            "paddock_time_per_output_token_seconds",
            "How long a token took, as the answer states it, else as its stream was seen.",
            |times| &times.per_token,
        ),
    ];
    for (name, help, of) in families {
        page.family(name, "histogram", help);
        for (model, counts) in models {
            let labels = [("model", model.as_str())];
            match apart {
                Apart::Models => {
                    if let Some(all) = counts.merged_latencies(of) {
                        page.histogram(name, &labels, &all);
                    }
                }
                Apart::Operations => {
                    for (operation, times) in counts.operations() {
                        let labels = [labels[0], ("operation", operation.as_str())];
                        page.histogram(name, &labels, of(times));
                    }
                }
            }
        }
    }
}

fn waits(page: &mut Page, models: &BTreeMap<String, ModelCounts>) {
    type Of = fn(&ModelCounts) -> &Histogram;
    let families: [(&str, &str, Of); 3] = [
        (
            "paddock_queue_seconds",
            "How long requests waited for their turn, loads not counted.",
            |counts| &counts.queue,
        ),
        (
            "paddock_load_wait_seconds",
            "How long a model was loading while requests waited that had to.",
            |counts| &counts.load,
        ),
        (
            "paddock_engine_wait_seconds",
            "Time that requests waited inside the child for a slot, if they had to; estimated.",
            |counts| &counts.engine_wait,
        ),
    ];
    for (name, help, of) in families {
        page.family(name, "histogram", help);
        for (model, counts) in models {
            page.histogram(name, &[("model", model)], of(counts));
        }
    }
}

fn tokens(page: &mut Page, models: &BTreeMap<String, ModelCounts>) {
    let name = "paddock_tokens_total";
    page.family(
        name,
        "counter",
        "Tokens, as answers state them; cached ones are among the prompts'.",
    );
    for (model, counts) in models.iter().filter(|(model, _)| !model.is_empty()) {
        for (kind, count) in [
            ("prompt", counts.prompt_tokens),
            ("cached", counts.cached_tokens),
            ("generated", counts.generated_tokens),
        ] {
            page.sample(name, &[("model", model), ("kind", kind)], float(count));
        }
    }
}

fn states(page: &mut Page, look: &runtime::RuntimeSnapshot) {
    type Of = fn(&ModelDetails) -> f64;
    let families: [(&str, &str, Of); 3] = [
        (
            "paddock_in_flight",
            "Requests that are with the child.",
            |model| f64::from(model.scheduling.in_flight),
        ),
        ("paddock_queue_depth", "Requests that wait.", |model| {
            float(u64::try_from(model.scheduling.queued).unwrap_or(u64::MAX))
        }),
        (
            "paddock_model_ready",
            "1 where the model is loaded and serves.",
            |model| f64::from(u8::from(word(model) == "ready")),
        ),
    ];
    for (name, help, of) in families {
        page.family(name, "gauge", help);
        for model in &look.models {
            page.sample(name, &[("model", &model.config.id)], of(model));
        }
    }
    let name = "paddock_engine_waiting";
    let help =
        "Requests that wait inside the child for a slot; estimated, and part of those in flight.";
    page.family(name, "gauge", help);
    for model in &look.models {
        if let Some(waiting) = model.waiting_in_engine {
            page.sample(name, &[("model", &model.config.id)], float(waiting.count));
        }
    }
}

fn lives(page: &mut Page, look: &runtime::RuntimeSnapshot) {
    type Of = fn(&ModelDetails) -> &[(&'static str, u64)];
    let families: [(&str, &str, &str, Of); 4] = [
        (
            "paddock_model_loads_total",
            "outcome",
            "Loads, by how they ended.",
            |model| &model.counters.loads,
        ),
        (
            "paddock_evictions_total",
            "reason",
            "How often a model had to go and went.",
            |model| &model.counters.evictions,
        ),
        (
            "paddock_child_failures_total",
            "class",
            "Failures of children; each is started again unless that cannot help.",
            |model| &model.counters.failures,
        ),
        (
            "paddock_restarts_total",
            "class",
            "Children that were started because the one before failed, by that failure.",
            |model| &model.counters.restarts,
        ),
    ];
    for (name, label, help, of) in families {
        page.family(name, "counter", help);
        for model in &look.models {
            for (what, count) in of(model) {
                let labels = [("model", model.config.id.as_str()), (label, *what)];
                page.sample(name, &labels, float(*count));
            }
        }
    }
    let name = "paddock_model_load_seconds";
    page.family(name, "histogram", "How long loads took that ended well.");
    for model in &look.models {
        let labels = [("model", model.config.id.as_str())];
        page.histogram(name, &labels, &model.counters.load_time);
    }
}

fn memory(page: &mut Page, look: &runtime::RuntimeSnapshot) {
    let name = "paddock_memory_bytes";
    page.family(
        name,
        "gauge",
        "Memory by device: the budget, what is used of it, what models were predicted and measured to hold, and what their prompt caches may.",
    );
    for (kind, memory) in [("budget", &look.usage.budget), ("used", &look.usage.used)] {
        page.memory(name, kind, "", memory, look);
    }
    for model in &look.models {
        for (kind, memory) in [
            ("predicted", &model.predicted),
            ("measured", &model.measured),
        ] {
            if let Some(memory) = memory {
                page.memory(name, kind, &model.config.id, memory, look);
            }
        }
        if let Some(cache) = model.prompt_cache {
            let labels = [
                ("kind", "prompt_cache"),
                ("device", "host"),
                ("model", &model.config.id),
            ];
            page.sample(name, &labels, float(cache.counted));
        }
    }
}

/// The metrics, as far as they are put together.
#[derive(Default)]
struct Page(Vec<MetricFamily>);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.0.push(MetricFamily {
            name: name.to_owned(),
            kind: kind.to_owned(),
            help: help.to_owned(),
            samples: Vec::new(),
        });
    }

    /// Adds a value of the family that was begun last, whose name is this.
    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.add(name, labels, MetricValue::Number(value));
    }

    fn histogram(&mut self, name: &str, labels: &[(&str, &str)], histogram: &Histogram) {
        if histogram.count() > 0 {
            let value = MetricValue::Histogram(histogram.clone());
            self.add(name, labels, value);
        }
    }

    fn add(&mut self, name: &str, labels: &[(&str, &str)], value: MetricValue) {
        let family = self.0.last_mut().filter(|family| family.name == name);
        debug_assert!(family.is_some(), "{name} has no family");
        if let Some(family) = family {
            let labels = labels.iter();
            let owned = |(label, value): &(&str, &str)| ((*label).to_owned(), (*value).to_owned());
            family.samples.push(MetricSample {
                labels: labels.map(owned).collect(),
                value,
            });
        }
    }

    fn memory(
        &mut self,
        name: &str,
        kind: &str,
        model: &str,
        memory: &Memory,
        look: &runtime::RuntimeSnapshot,
    ) {
        let devices = look.devices.iter().enumerate();
        let devices = devices.map(|(at, device)| (device.as_str(), memory.device(at)));
        for (device, bytes) in [("host", memory.host())].into_iter().chain(devices) {
            // The greatest number stands for no limit.
            if bytes != u64::MAX {
                let labels = [("kind", kind), ("device", device), ("model", model)];
                self.sample(name, &labels, float(bytes));
            }
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the format has no other numbers"
)]
fn float(count: u64) -> f64 {
    count as f64
}
