//! Adds the metrics of contexts: conversations that paddock keeps when their model is unloaded.

use super::family_list::{FamilyList, to_f64};
use paddock_runtime::contexts::{ContextCounters, ModelContexts};
use paddock_runtime::{ModelDetails, RuntimeSnapshot};

/// Adds each model's stored contexts, and the counts of saves, restores and hits.
pub(super) fn add(list: &mut FamilyList, snapshot: &RuntimeSnapshot) {
    let models = snapshot.models.iter();
    let models: Vec<ModelFigures<'_>> = models.map(ModelFigures::from).collect();
    add_stored(list, &models);
    add_results(list, &models);
    add_use(list, &models);
}

/// The figures of one model.
struct ModelFigures<'a> {
    model: &'a str,
    contexts: &'a ModelContexts,
    counters: &'a ContextCounters,
}

impl<'a> From<&'a ModelDetails> for ModelFigures<'a> {
    fn from(model: &'a ModelDetails) -> Self {
        Self {
            model: &model.config.id,
            contexts: &model.contexts,
            counters: &model.counters.contexts,
        }
    }
}

fn add_stored(list: &mut FamilyList, models: &[ModelFigures<'_>]) {
    type Getter = fn(&ModelContexts) -> u64;
    let families: [(&str, &str, Getter); 2] = [
        (
            "paddock_contexts",
            "Contexts (conversations) in the store.",
            |contexts| contexts.stored.contexts,
        ),
        (
            "paddock_context_store_bytes",
            "Size of the contexts in the store, in bytes.",
            |contexts| contexts.stored.bytes,
        ),
    ];
    for (name, help, get) in families {
        list.family(name, "gauge", help);
        for model in models {
            let value = to_f64(get(model.contexts));
            list.sample(name, &[("model", model.model)], value);
        }
    }
}

/// Adds the counters with a `result` label.
fn add_results(list: &mut FamilyList, models: &[ModelFigures<'_>]) {
    type Getter = fn(&ContextCounters) -> (u64, u64);
    let families: [(&str, &str, Getter); 2] = [
        (
            "paddock_contexts_saved_total",
            "Saves of conversations, by result.",
            |counters| (counters.saved, counters.save_failures),
        ),
        (
            "paddock_contexts_restored_total",
            "Restores of contexts after loads, by result.",
            |counters| (counters.restored, counters.restore_failures),
        ),
    ];
    for (name, help, get) in families {
        list.family(name, "counter", help);
        for model in models {
            let (complete, failed) = get(model.counters);
            for (result, count) in [("complete", complete), ("failed", failed)] {
                let labels = [("model", model.model), ("result", result)];
                list.sample(name, &labels, to_f64(count));
            }
        }
    }
}

fn add_use(list: &mut FamilyList, models: &[ModelFigures<'_>]) {
    type Getter = fn(&ContextCounters) -> f64;
    let families: [(&str, &str, Getter); 4] = [
        (
            "paddock_contexts_deleted_total",
            "Contexts deleted because of the quota or their age.",
            |counters| to_f64(counters.deleted),
        ),
        (
            "paddock_context_hits_total",
            "Restored contexts that a request has continued.",
            |counters| to_f64(counters.hits),
        ),
        (
            "paddock_context_tokens_reused_total",
            "Prompt tokens that requests did not read again because of restored contexts.",
            |counters| to_f64(counters.tokens_reused),
        ),
        (
            "paddock_context_time_saved_seconds_total",
            "Estimated reading time that restored contexts have saved.",
            |counters| counters.time_saved.as_secs_f64(),
        ),
    ];
    for (name, help, get) in families {
        list.family(name, "counter", help);
        for model in models {
            let value = get(model.counters);
            list.sample(name, &[("model", model.model)], value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::metrics::text::render;
    use paddock_runtime::contexts::StoreUsage;
    use std::time::Duration;

    #[test]
    fn each_figure_has_its_own_sample() {
        let mut contexts = ModelContexts::default();
        contexts.stored = StoreUsage {
            deleted: 0,
            contexts: 1,
            bytes: 2,
        };
        let counters = ContextCounters {
            saved: 3,
            save_failures: 4,
            restored: 5,
            restore_failures: 6,
            deleted: 7,
            hits: 8,
            tokens_reused: 9,
            time_saved: Duration::from_millis(10_500),
        };
        let models = [ModelFigures {
            model: "m",
            contexts: &contexts,
            counters: &counters,
        }];
        let mut list = FamilyList::default();
        add_stored(&mut list, &models);
        add_results(&mut list, &models);
        add_use(&mut list, &models);
        let text = render(&list.0);
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        assert_eq!(
            samples.collect::<Vec<_>>(),
            [
                r#"paddock_contexts{model="m"} 1"#,
                r#"paddock_context_store_bytes{model="m"} 2"#,
                r#"paddock_contexts_saved_total{model="m",result="complete"} 3"#,
                r#"paddock_contexts_saved_total{model="m",result="failed"} 4"#,
                r#"paddock_contexts_restored_total{model="m",result="complete"} 5"#,
                r#"paddock_contexts_restored_total{model="m",result="failed"} 6"#,
                r#"paddock_contexts_deleted_total{model="m"} 7"#,
                r#"paddock_context_hits_total{model="m"} 8"#,
                r#"paddock_context_tokens_reused_total{model="m"} 9"#,
                r#"paddock_context_time_saved_seconds_total{model="m"} 10.5"#,
            ]
        );
    }
}
