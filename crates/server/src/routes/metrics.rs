//! Builds the metrics of `GET /metrics` and of the OTLP export.

mod context_metrics;
mod engine_text;
mod engines;
mod family_list;
mod model_metrics;
mod request_metrics;
mod text;

use self::family_list::{FamilyList, to_f64};
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
use paddock_runtime::RuntimeSnapshot;
use paddock_telemetry::sink;
use paddock_telemetry::{MetricFamily, ModelNames, WorkerCounts};
use std::collections::BTreeSet;

pub(crate) use engines::EngineScraper;

/// Returns all metrics in the text format of Prometheus.
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

/// Answers `/metrics` of the public plane (the routes for clients), without models that the key may not use.
pub(super) async fn public_metrics(
    State(counted): State<MetricsSource>,
    Extension(key): Extension<AuthenticatedKey>,
) -> Response {
    match counted.get() {
        Some(admin) => respond(admin, &key).await.into_response(),
        None => refusal(&ProxyError::ShuttingDown),
    }
}

/// Returns the metrics of paddock and of its children, for the models that the key may use.
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
    snapshot: Option<&RuntimeSnapshot>,
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
    snapshot: Option<&RuntimeSnapshot>,
    counted: Vec<(WorkerCounts, ModelNames)>,
    service: &ServiceCounts<'_>,
    time_labels: TimeLabels,
) -> Vec<MetricFamily> {
    let mut list = FamilyList::default();
    list.family(
        "paddock_build_info",
        "gauge",
        "Always 1; the `version` label is paddock's version.",
    );
    let version = env!("CARGO_PKG_VERSION");
    list.sample("paddock_build_info", &[("version", version)], 1.0);
    let (models, dropped) = request_metrics::merge_by_model(counted);
    request_metrics::add_requests(&mut list, &models);
    request_metrics::add_times(&mut list, &models, time_labels);
    request_metrics::add_waits(&mut list, &models);
    request_metrics::add_tokens(&mut list, &models);
    list.family(
        "paddock_activity_dropped_total",
        "counter",
        "Requests and events dropped from the activity log.",
    );
    let dropped = to_f64(dropped + service.lost_rows);
    list.sample("paddock_activity_dropped_total", &[], dropped);
    list.family(
        "paddock_spans_dropped_total",
        "counter",
        "Spans dropped before the collector accepted them.",
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
        model_metrics::add_states(&mut list, snapshot);
        model_metrics::add_lifecycle(&mut list, snapshot);
        model_metrics::add_memory(&mut list, snapshot);
        context_metrics::add(&mut list, snapshot);
    }
    list.0
}

/// Adds the metrics of clients' connections.
fn add_clients(list: &mut FamilyList, connections: &ConnectionLimiter) {
    let count = |count: usize| to_f64(u64::try_from(count).unwrap_or(u64::MAX));
    let name = "paddock_connections";
    list.family(name, "gauge", "Open client connections.");
    list.sample(name, &[], count(connections.open_count()));
    let name = "paddock_connections_limit";
    list.family(
        name,
        "gauge",
        "Maximum number of client connections allowed.",
    );
    list.sample(name, &[], count(connections.limit()));
    let name = "paddock_connections_refused_total";
    list.family(name, "counter", "Refused client connections.");
    list.sample(name, &[], to_f64(connections.refused_count()));
}

/// Adds the metrics of posted events.
fn add_events(list: &mut FamilyList, counts: &sink::PostCounts) {
    let name = "paddock_events_posted_total";
    list.family(name, "counter", "Events that the receiver has accepted.");
    list.sample(name, &[], to_f64(counts.posted()));
    let name = "paddock_events_dropped_total";
    list.family(
        name,
        "counter",
        "Events dropped without delivery, by reason.",
    );
    for (reason, count) in counts.dropped() {
        list.sample(name, &[("reason", reason)], to_f64(count));
    }
}
