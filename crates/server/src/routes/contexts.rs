//! Converts the facts about contexts to the admin API's types.

use paddock_admission::error::unix_seconds;
use paddock_api as api;
use paddock_runtime::ModelDetails;
use paddock_runtime::contexts::RestoreSummary;

/// Returns the facts about a model's contexts.
pub(super) fn to_api(model: &ModelDetails) -> api::ModelContexts {
    let (contexts, counters) = (&model.contexts, &model.counters.contexts);
    api::ModelContexts {
        not_kept: contexts.not_kept.clone(),
        last_restore: contexts.last_restore().map(restore_to_api),
        counts: api::ContextCounts {
            stored: contexts.stored.contexts,
            bytes: contexts.stored.bytes,
            saved: counters.saved,
            save_failures: counters.save_failures,
            restored: counters.restored,
            restore_failures: counters.restore_failures,
            deleted: counters.deleted,
            hits: counters.hits,
            tokens_reused: counters.tokens_reused,
            seconds_saved: counters.time_saved.as_secs_f64(),
        },
    }
}

fn restore_to_api(restore: &RestoreSummary) -> api::ContextRestore {
    api::ContextRestore {
        at: unix_seconds(restore.at),
        found: restore.found,
        contexts: restore.contexts,
        tokens: restore.tokens,
        bytes: restore.bytes,
        longest: restore.longest,
        failures: restore.failures,
        seconds: restore.time.as_secs_f64(),
    }
}

/// Adds up the counts of all models.
pub(super) fn sum(models: &[api::Model]) -> api::ContextCounts {
    let counts = models.iter().map(|model| model.contexts.counts);
    counts.fold(api::ContextCounts::default(), add)
}

fn add(left: api::ContextCounts, right: api::ContextCounts) -> api::ContextCounts {
    api::ContextCounts {
        stored: left.stored + right.stored,
        bytes: left.bytes + right.bytes,
        saved: left.saved + right.saved,
        save_failures: left.save_failures + right.save_failures,
        restored: left.restored + right.restored,
        restore_failures: left.restore_failures + right.restore_failures,
        deleted: left.deleted + right.deleted,
        hits: left.hits + right.hits,
        tokens_reused: left.tokens_reused + right.tokens_reused,
        seconds_saved: left.seconds_saved + right.seconds_saved,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_the_same_kind_are_added() {
        let counts = api::ContextCounts {
            stored: 1,
            bytes: 2,
            saved: 3,
            save_failures: 4,
            restored: 5,
            restore_failures: 6,
            deleted: 7,
            hits: 8,
            tokens_reused: 9,
            seconds_saved: 10.0,
        };
        let model = api::Model {
            contexts: api::ModelContexts {
                counts,
                ..api::ModelContexts::default()
            },
            ..api::Model::default()
        };
        let expected = api::ContextCounts {
            stored: 2,
            bytes: 4,
            saved: 6,
            save_failures: 8,
            restored: 10,
            restore_failures: 12,
            deleted: 14,
            hits: 16,
            tokens_reused: 18,
            seconds_saved: 20.0,
        };
        assert_eq!(sum(&[model.clone(), model]), expected);
        assert_eq!(sum(&[]), api::ContextCounts::default());
    }
}
