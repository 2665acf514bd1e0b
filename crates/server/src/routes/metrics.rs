//! Builds the metrics of `GET /metrics` and of the OTLP export.

mod engine_text;
mod engines;
mod text;

use super::errors::refusal;
use super::openapi::responses::Denied;
use super::{AdminContext, MetricsSource};
use axum::Extension;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use paddock_admission::error::ProxyError;
use paddock_admission::keys::AuthenticatedKey;
use paddock_proxy::ConnectionLimiter;
use paddock_runtime::{self as runtime, ModelDetails};
use paddock_scheduler::{Memory, ModelStatus};
use paddock_telemetry::sink;
use paddock_telemetry::{
    Histogram, LatencyHistograms, MetricFamily, MetricSample, MetricValue, ModelCounts, ModelNames,
    WorkerCounts,
};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) use engines::EngineScraper;

/// Answers with all metrics in the text format of Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    tag = "paddock",
    responses(
        (status = 200, description = "The metrics, in version 0.0.4 of the format.", body = String, content_type = "text/plain"),
        Denied,
    ),
)]
pub(super) async fn metrics(State(admin): State<AdminContext>) -> impl IntoResponse {
    respond(&admin, &AuthenticatedKey::default()).await
}

/// Answers `/metrics` of the public plane, without models that the key may not use.
pub(super) async fn public_metrics(
    State(counted): State<MetricsSource>,
    Extension(key): Extension<AuthenticatedKey>,
) -> Response {
    match counted.get() {
        Some(admin) => respond(admin, &key).await.into_response(),
        None => refusal(&ProxyError::ShuttingDown),
    }
}

async fn respond(admin: &AdminContext, key: &AuthenticatedKey) -> impl IntoResponse + use<> {
    let snapshot = admin.shared.runtime.snapshot().await;
    let mut families = collect_families(admin, snapshot.as_ref(), TimeLabels::Model).await;
    if !key.is_for_all() {
        let models = snapshot.iter().flat_map(|snapshot| &snapshot.models);
        let models = models.filter(|model| key.is_for(model.id));
        let names = models.map(|model| model.config.id.as_str());
        keep_models(&mut families, &names.collect());
    }
    let mut page = text::render(&families);
    if let Some(snapshot) = &snapshot {
        page += &admin
            .engines
            .scrape(snapshot, |model| key.is_for(model))
            .await;
    }
    ([(CONTENT_TYPE, text::CONTENT_TYPE_VALUE)], page)
}

/// Removes samples of models that are not in `names`.
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

/// Collects all metrics for the OTLP export.
pub(crate) async fn families(admin: &AdminContext) -> Vec<MetricFamily> {
    let snapshot = admin.shared.runtime.snapshot().await;
    collect_families(admin, snapshot.as_ref(), TimeLabels::ModelAndOperation).await
}

async fn collect_families(
    admin: &AdminContext,
    snapshot: Option<&runtime::RuntimeSnapshot>,
    time_labels: TimeLabels,
) -> Vec<MetricFamily> {
    let counts = admin.workers.counts().await;
    let service = ServiceCounts {
        lost_rows: admin.activity.lost(),
        lost_spans: admin.otlp.lost(),
        events: admin.events.as_deref(),
        connections: Some(&admin.shared.connections),
    };
    build_families(snapshot, counts, &service, time_labels)
}

/// Labels of the histograms of request times.
#[derive(Debug, Clone, Copy)]
enum TimeLabels {
    Model,
    /// The model and the operation; requests without an operation are left out.
    ModelAndOperation,
}

/// Counts of other parts than the workers.
struct ServiceCounts<'a> {
    /// Rows that were lost after the workers had sent them.
    lost_rows: u64,
    lost_spans: u64,
    events: Option<&'a sink::PostCounts>,
    connections: Option<&'a ConnectionLimiter>,
}

fn build_families(
    snapshot: Option<&runtime::RuntimeSnapshot>,
    counted: Vec<(WorkerCounts, ModelNames)>,
    service: &ServiceCounts<'_>,
    time_labels: TimeLabels,
) -> Vec<MetricFamily> {
    let mut list = FamilyList::default();
    list.family(
        "paddock_build_info",
        "gauge",
        "1, and which paddock this is.",
    );
    let version = env!("CARGO_PKG_VERSION");
    list.sample("paddock_build_info", &[("version", version)], 1.0);
    let (models, dropped) = merge_by_model(counted);
    add_requests(&mut list, &models);
    add_times(&mut list, &models, time_labels);
    add_waits(&mut list, &models);
    add_tokens(&mut list, &models);
    list.family(
        "paddock_activity_dropped_total",
        "counter",
        "Requests and events that are counted and not listed.",
    );
    let dropped = to_f64(dropped + service.lost_rows);
    list.sample("paddock_activity_dropped_total", &[], dropped);
    list.family(
        "paddock_spans_dropped_total",
        "counter",
        "Spans that nobody took by OTLP in time.",
    );
    list.sample(
        "paddock_spans_dropped_total",
        &[],
        to_f64(service.lost_spans),
    );
    if let Some(connections) = service.connections {
        add_clients(&mut list, connections);
    }
    if let Some(counts) = service.events {
        add_events(&mut list, counts);
    }
    if let Some(snapshot) = snapshot {
        add_states(&mut list, snapshot);
        add_lifecycle(&mut list, snapshot);
        add_memory(&mut list, snapshot);
    }
    list.0
}

/// Adds the metrics of clients' connections.
fn add_clients(list: &mut FamilyList, connections: &ConnectionLimiter) {
    let count = |count: usize| to_f64(u64::try_from(count).unwrap_or(u64::MAX));
    let name = "paddock_connections";
    list.family(name, "gauge", "Clients' connections that are open, now.");
    list.sample(name, &[], count(connections.open_count()));
    let name = "paddock_connections_limit";
    list.family(
        name,
        "gauge",
        "The most connections of clients there may be.",
    );
    list.sample(name, &[], count(connections.limit()));
    let name = "paddock_connections_refused_total";
    list.family(name, "counter", "Clients' connections that were refused.");
    list.sample(name, &[], to_f64(connections.refused_count()));
}

/// Adds the metrics of posted events.
fn add_events(list: &mut FamilyList, counts: &sink::PostCounts) {
    let name = "paddock_events_posted_total";
    list.family(name, "counter", "Events that their receiver has taken.");
    list.sample(name, &[], to_f64(counts.posted()));
    let name = "paddock_events_dropped_total";
    list.family(name, "counter", "Events that their receiver never gets.");
    for (reason, count) in counts.dropped() {
        list.sample(name, &[("reason", reason)], to_f64(count));
    }
}

/// Merges the workers' counts by model name. The empty name is for requests that reached no model. Also returns the
/// number of rows that workers dropped.
fn merge_by_model(
    counted: Vec<(WorkerCounts, ModelNames)>,
) -> (BTreeMap<String, ModelCounts>, u64) {
    let mut models: BTreeMap<String, ModelCounts> = BTreeMap::new();
    let mut dropped = 0;
    for (counts, names) in counted {
        models
            .entry(String::new())
            .or_default()
            .merge(&counts.without_model);
        dropped += counts.dropped;
        for (index, model) in counts.models.iter().enumerate() {
            if let Some(Some(name)) = names.get(index) {
                models.entry(name.to_string()).or_default().merge(model);
            }
        }
    }
    (models, dropped)
}

fn add_requests(list: &mut FamilyList, models: &BTreeMap<String, ModelCounts>) {
    let name = "paddock_requests_total";
    list.family(
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
            list.sample(name, &labels, to_f64(*count));
        }
    }
}

fn add_times(
    list: &mut FamilyList,
    models: &BTreeMap<String, ModelCounts>,
    time_labels: TimeLabels,
) {
    type Getter = fn(&LatencyHistograms) -> &Histogram;
    let families: [(&str, &str, Getter); 3] = [
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
    for (name, help, get) in families {
        list.family(name, "histogram", help);
        for (model, counts) in models {
            let labels = [("model", model.as_str())];
            match time_labels {
                TimeLabels::Model => {
                    if let Some(all) = counts.merged_latencies(get) {
                        list.histogram(name, &labels, &all);
                    }
                }
                TimeLabels::ModelAndOperation => {
                    for (operation, times) in counts.operations() {
                        let labels = [labels[0], ("operation", operation.as_str())];
                        list.histogram(name, &labels, get(times));
                    }
                }
            }
        }
    }
}

fn add_waits(list: &mut FamilyList, models: &BTreeMap<String, ModelCounts>) {
    type Getter = fn(&ModelCounts) -> &Histogram;
    let families: [(&str, &str, Getter); 3] = [
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
    for (name, help, get) in families {
        list.family(name, "histogram", help);
        for (model, counts) in models {
            list.histogram(name, &[("model", model)], get(counts));
        }
    }
}

fn add_tokens(list: &mut FamilyList, models: &BTreeMap<String, ModelCounts>) {
    let name = "paddock_tokens_total";
    list.family(
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
            list.sample(name, &[("model", model), ("kind", kind)], to_f64(count));
        }
    }
}

fn add_states(list: &mut FamilyList, snapshot: &runtime::RuntimeSnapshot) {
    type Getter = fn(&ModelDetails) -> f64;
    let families: [(&str, &str, Getter); 3] = [
        (
            "paddock_in_flight",
            "Requests that are with the child.",
            |model| f64::from(model.scheduling.in_flight),
        ),
        ("paddock_queue_depth", "Requests that wait.", |model| {
            to_f64(u64::try_from(model.scheduling.queued).unwrap_or(u64::MAX))
        }),
        (
            "paddock_model_ready",
            "1 where the model is loaded and serves.",
            |model| f64::from(u8::from(model.scheduling.status == ModelStatus::Ready)),
        ),
    ];
    for (name, help, get) in families {
        list.family(name, "gauge", help);
        for model in &snapshot.models {
            list.sample(name, &[("model", &model.config.id)], get(model));
        }
    }
    let name = "paddock_engine_waiting";
    let help =
        "Requests that wait inside the child for a slot; estimated, and part of those in flight.";
    list.family(name, "gauge", help);
    for model in &snapshot.models {
        if let Some(waiting) = model.waiting_in_engine {
            list.sample(name, &[("model", &model.config.id)], to_f64(waiting.count));
        }
    }
}

fn add_lifecycle(list: &mut FamilyList, snapshot: &runtime::RuntimeSnapshot) {
    type Getter = fn(&ModelDetails) -> &[(&'static str, u64)];
    let families: [(&str, &str, &str, Getter); 4] = [
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
    for (name, label, help, get) in families {
        list.family(name, "counter", help);
        for model in &snapshot.models {
            for (value, count) in get(model) {
                let labels = [("model", model.config.id.as_str()), (label, *value)];
                list.sample(name, &labels, to_f64(*count));
            }
        }
    }
    let name = "paddock_model_load_seconds";
    list.family(name, "histogram", "How long loads took that ended well.");
    for model in &snapshot.models {
        let labels = [("model", model.config.id.as_str())];
        list.histogram(name, &labels, &model.counters.load_time);
    }
}

fn add_memory(list: &mut FamilyList, snapshot: &runtime::RuntimeSnapshot) {
    let name = "paddock_memory_bytes";
    list.family(
        name,
        "gauge",
        "Memory by device: the budget, what is used of it, what models were predicted and measured to hold, and what their prompt caches may.",
    );
    for (kind, memory) in [
        ("budget", &snapshot.usage.budget),
        ("used", &snapshot.usage.used),
    ] {
        list.memory(name, kind, "", memory, snapshot);
    }
    for model in &snapshot.models {
        for (kind, memory) in [
            ("predicted", &model.predicted),
            ("measured", &model.measured),
        ] {
            if let Some(memory) = memory {
                list.memory(name, kind, &model.config.id, memory, snapshot);
            }
        }
        if let Some(cache) = model.prompt_cache {
            let labels = [
                ("kind", "prompt_cache"),
                ("device", "host"),
                ("model", &model.config.id),
            ];
            list.sample(name, &labels, to_f64(cache.counted));
        }
    }
}

/// Metric families under construction.
#[derive(Default)]
struct FamilyList(Vec<MetricFamily>);

impl FamilyList {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.0.push(MetricFamily {
            name: name.to_owned(),
            kind: kind.to_owned(),
            help: help.to_owned(),
            samples: Vec::new(),
        });
    }

    /// Adds a value to the last family, which must have this name.
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
        snapshot: &runtime::RuntimeSnapshot,
    ) {
        let devices = snapshot.devices.iter().enumerate();
        let devices = devices.map(|(index, device)| (device.as_str(), memory.device(index)));
        for (device, bytes) in [("host", memory.host())].into_iter().chain(devices) {
            // `u64::MAX` means no limit.
            if bytes != u64::MAX {
                let labels = [("kind", kind), ("device", device), ("model", model)];
                self.sample(name, &labels, to_f64(bytes));
            }
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the format has no other numbers"
)]
fn to_f64(count: u64) -> f64 {
    count as f64
}
