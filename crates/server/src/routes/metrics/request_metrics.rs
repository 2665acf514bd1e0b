//! Adds the metrics of requests, from the counts of the workers (the threads that serve clients).

use super::TimeLabels;
use super::family_list::{FamilyList, to_f64};
use paddock_telemetry::{Histogram, LatencyHistograms, ModelCounts, ModelNames, WorkerCounts};
use std::collections::BTreeMap;

/// Merges the workers' counts by model name. The empty name is for requests that reached no model. Also returns the
/// number of ended requests that workers did not hand over to the activity log.
pub(super) fn merge_by_model(
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

/// Adds the counts of ended requests.
pub(super) fn add_requests(list: &mut FamilyList, models: &BTreeMap<String, ModelCounts>) {
    let name = "paddock_requests_total";
    list.family(
        name,
        "counter",
        "Requests that have ended; status 0 means that the client disconnected before a status was sent.",
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

/// Adds the histograms of request times.
pub(super) fn add_times(
    list: &mut FamilyList,
    models: &BTreeMap<String, ModelCounts>,
    time_labels: TimeLabels,
) {
    type Getter = fn(&LatencyHistograms) -> &Histogram;
    let families: [(&str, &str, Getter); 3] = [
        (
            "paddock_request_duration_seconds",
            "Time from the first byte of a request to the last byte of its response, for completed responses.",
            |times| &times.duration,
        ),
        (
            "paddock_time_to_first_token_seconds",
            "Time from the first byte of a request to the first byte of the body of a streamed response.",
            |times| &times.ttft,
        ),
        (
            "paddock_time_per_output_token_seconds",
            "Time for each generated token, as stated in the response, or else measured on the stream.",
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

pub(super) fn add_waits(list: &mut FamilyList, models: &BTreeMap<String, ModelCounts>) {
    type Getter = fn(&ModelCounts) -> &Histogram;
    let families: [(&str, &str, Getter); 3] = [
        (
            "paddock_queue_seconds",
            "Time that requests waited in the queue, excluding model load time.",
            |counts| &counts.queue,
        ),
        (
            "paddock_load_wait_seconds",
            "Time that requests waited while their model was loading (only requests that waited).",
            |counts| &counts.load,
        ),
        (
            "paddock_engine_wait_seconds",
            "Estimated time that requests waited for a slot in the child (only requests that waited).",
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

pub(super) fn add_tokens(list: &mut FamilyList, models: &BTreeMap<String, ModelCounts>) {
    let name = "paddock_tokens_total";
    list.family(
        name,
        "counter",
        "Tokens, as stated in responses; prompt tokens include cached ones.",
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
