//! Adds the metrics of models (state, lifecycle, memory), read from a snapshot of the runtime.

use super::family_list::{FamilyList, to_f64};
use paddock_runtime::{ModelDetails, RuntimeSnapshot};
use paddock_scheduler::ModelStatus;

/// Adds the number of requests of each model, and whether the model is ready.
pub(super) fn add_states(list: &mut FamilyList, snapshot: &RuntimeSnapshot) {
    type Getter = fn(&ModelDetails) -> f64;
    let families: [(&str, &str, Getter); 3] = [
        (
            "paddock_in_flight",
            "Requests that the child is processing.",
            |model| f64::from(model.scheduling.in_flight),
        ),
        (
            "paddock_queue_depth",
            "Requests that wait in the queue.",
            |model| to_f64(u64::try_from(model.scheduling.queued).unwrap_or(u64::MAX)),
        ),
        (
            "paddock_model_ready",
            "1 if the model is loaded and serves requests, otherwise 0.",
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
    let help = "Estimated number of in-flight requests waiting for a slot in the child.";
    list.family(name, "gauge", help);
    for model in &snapshot.models {
        if let Some(waiting) = model.waiting_in_engine {
            list.sample(name, &[("model", &model.config.id)], to_f64(waiting.count));
        }
    }
}

/// Adds the counts of loads, evictions, failures and restarts, and the duration of loads.
pub(super) fn add_lifecycle(list: &mut FamilyList, snapshot: &RuntimeSnapshot) {
    type Getter = fn(&ModelDetails) -> &[(&'static str, u64)];
    let families: [(&str, &str, &str, Getter); 4] = [
        (
            "paddock_model_loads_total",
            "outcome",
            "Loads, by outcome.",
            |model| &model.counters.loads,
        ),
        (
            "paddock_evictions_total",
            "reason",
            "Evictions of the model, by reason.",
            |model| &model.counters.evictions,
        ),
        (
            "paddock_child_failures_total",
            "class",
            "Failures of children, by class.",
            |model| &model.counters.failures,
        ),
        (
            "paddock_restarts_total",
            "class",
            "Children started to replace a failed one, by the class of the failure.",
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
    list.family(name, "histogram", "Duration of successful loads.");
    for model in &snapshot.models {
        let labels = [("model", model.config.id.as_str())];
        list.histogram(name, &labels, &model.counters.load_time);
    }
}

pub(super) fn add_memory(list: &mut FamilyList, snapshot: &RuntimeSnapshot) {
    let name = "paddock_memory_bytes";
    list.family(
        name,
        "gauge",
        "Memory in bytes by device and kind: budget and use in total; predicted, measured and prompt cache limit by model.",
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
