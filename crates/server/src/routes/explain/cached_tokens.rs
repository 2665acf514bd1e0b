//! Explains how many tokens of a request's prompt the child (llama-server) had in its cache, and why if they were few.

use paddock_runtime::contexts::RestoreSummary;

/// The cached tokens of a request's prompt, and facts about the contexts that the child could have used.
#[derive(Debug, Clone, Copy)]
pub(super) struct CachedTokens<'a> {
    pub(super) model: &'a str,
    /// Tokens of the prompt.
    pub(super) prompt: u64,
    /// Tokens of the prompt that were in the child's cache.
    pub(super) cached: u64,
    /// Contexts of the model; `None` if the model has since been removed.
    pub(super) contexts: Option<ContextFacts<'a>>,
}

/// Facts about the contexts of a model.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ContextFacts<'a> {
    /// Reason why the contexts are not kept.
    pub(super) not_kept: Option<&'a str>,
    /// Number of contexts deleted because of the quota or their age.
    pub(super) deleted: u64,
    /// The restore of the load that served the request; `None` if none is remembered.
    pub(super) restore: Option<RestoreSummary>,
}

impl CachedTokens<'_> {
    /// Returns true if less than half of the prompt was cached although contexts had been restored.
    pub(super) fn missed_contexts(&self) -> bool {
        let restore = self.contexts.and_then(|contexts| contexts.restore);
        self.is_few() && restore.is_some_and(|restore| restore.contexts > 0)
    }

    fn is_few(&self) -> bool {
        self.cached.saturating_mul(2) < self.prompt
    }

    /// Describes the use of the cache in one sentence. Names a reason if less than half of the prompt was cached.
    pub(super) fn sentence(&self) -> String {
        let Self { prompt, cached, .. } = self;
        let used = format!("{cached} of {prompt} prompt tokens came from the child's cache");
        match self.contexts {
            Some(contexts) if self.is_few() => format!("{used}: {}", self.reason(&contexts)),
            Some(contexts) => used + &describe_restored(contexts.restore.as_ref()),
            None => used,
        }
    }

    fn reason(&self, contexts: &ContextFacts<'_>) -> String {
        let model = self.model;
        if let Some(reason) = contexts.not_kept {
            return format!("contexts of {model} are not kept, because {reason}");
        }
        match &contexts.restore {
            None => format!("it is not known which contexts of {model} had been restored"),
            Some(restore) if restore.contexts == 0 => {
                explain_no_restore(model, contexts.deleted, restore)
            }
            Some(restore) => explain_mismatch(restore),
        }
    }
}

/// Describes the contexts that were restored into the cache, as the end of a sentence.
fn describe_restored(restore: Option<&RestoreSummary>) -> String {
    let restored = restore.filter(|restore| restore.contexts > 0);
    let describe = |restore: &RestoreSummary| {
        let tokens = restore.tokens;
        match restore.contexts {
            1 => format!(", into which paddock had restored 1 context ({tokens} tokens)"),
            contexts => {
                format!(", into which paddock had restored {contexts} contexts ({tokens} tokens)")
            }
        }
    };
    restored.map(describe).unwrap_or_default()
}

/// Explains why no context was restored after the load.
fn explain_no_restore(model: &str, deleted: u64, restore: &RestoreSummary) -> String {
    if restore.failures > 0 {
        return "restoring contexts after the load failed; paddock's log has the cause".to_owned();
    }
    match (restore.found, restore.stored) {
        (0, 0) if deleted > 0 => format!(
            "no context of {model} was stored when it was loaded; the quota or their age has deleted {deleted}"
        ),
        (0, 0) => format!("no context of {model} was stored when it was loaded"),
        (0, stored) => format!(
            "the contexts of {model} that were stored when it was loaded ({stored}) belong to other files, arguments, \
             environment or engine"
        ),
        (found, _) => format!(
            "none of the {found} stored contexts was restored: the time limit was too short or the child's cache too small"
        ),
    }
}

/// Explains that the prompt continues none of the restored contexts.
fn explain_mismatch(restore: &RestoreSummary) -> String {
    let tokens = restore.tokens;
    let restored = match restore.contexts {
        1 => format!("the only restored context ({tokens} tokens)"),
        contexts => format!(
            "each of the {contexts} restored contexts ({tokens} tokens, at most {} in one)",
            restore.longest
        ),
    };
    let left = restore.found.saturating_sub(restore.contexts);
    match left {
        0 => format!("the prompt differs from {restored}"),
        left => format!("the prompt differs from {restored}; not restored: {left} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime};

    fn restore(stored: u64, found: u64, contexts: u64, failures: u64) -> RestoreSummary {
        RestoreSummary {
            at: SystemTime::UNIX_EPOCH,
            stored,
            found,
            contexts,
            tokens: 1_000 * contexts,
            bytes: 0,
            longest: 2_000,
            failures,
            time: Duration::ZERO,
        }
    }

    #[test]
    fn few_cached_tokens_have_a_reason() {
        let off = ContextFacts {
            not_kept: Some("the model has a projector"),
            ..ContextFacts::default()
        };
        let with = |restore| ContextFacts {
            restore: Some(restore),
            ..ContextFacts::default()
        };
        let deleted = ContextFacts {
            deleted: 4,
            ..with(restore(0, 0, 0, 0))
        };
        for (contexts, reason) in [
            (
                off,
                "contexts of m are not kept, because the model has a projector",
            ),
            (
                ContextFacts::default(),
                "it is not known which contexts of m had been restored",
            ),
            (
                with(restore(0, 0, 0, 0)),
                "no context of m was stored when it was loaded",
            ),
            (
                deleted,
                "no context of m was stored when it was loaded; the quota or their age has deleted 4",
            ),
            (
                with(restore(2, 0, 0, 0)),
                "the contexts of m that were stored when it was loaded (2) belong to other files, arguments, environment or \
                 engine",
            ),
            (
                with(restore(2, 2, 0, 1)),
                "restoring contexts after the load failed; paddock's log has the cause",
            ),
            (
                with(restore(2, 0, 0, 1)),
                "restoring contexts after the load failed; paddock's log has the cause",
            ),
            (
                with(restore(2, 2, 0, 0)),
                "none of the 2 stored contexts was restored: the time limit was too short or the child's cache too small",
            ),
            (
                with(restore(1, 1, 1, 0)),
                "the prompt differs from the only restored context (1000 tokens)",
            ),
            (
                with(restore(5, 4, 3, 1)),
                "the prompt differs from each of the 3 restored contexts (3000 tokens, at most 2000 in one); not \
                 restored: 1 more",
            ),
        ] {
            let few = CachedTokens {
                model: "m",
                prompt: 100,
                cached: 49,
                contexts: Some(contexts),
            };
            let start = "49 of 100 prompt tokens came from the child's cache";
            assert_eq!(few.sentence(), format!("{start}: {reason}"));
        }
    }

    #[test]
    fn many_cached_tokens_are_described_with_the_restored_contexts() {
        for (contexts, restored) in [
            (0, ""),
            (
                1,
                ", into which paddock had restored 1 context (1000 tokens)",
            ),
            (
                3,
                ", into which paddock had restored 3 contexts (3000 tokens)",
            ),
        ] {
            let many = CachedTokens {
                model: "m",
                prompt: 100,
                cached: 50,
                contexts: Some(ContextFacts {
                    restore: Some(restore(3, 3, contexts, 0)),
                    ..ContextFacts::default()
                }),
            };
            let start = "50 of 100 prompt tokens came from the child's cache";
            assert_eq!(many.sentence(), format!("{start}{restored}"));
        }
    }

    #[test]
    fn no_reason_is_given_for_a_removed_model() {
        let removed = CachedTokens {
            model: "m",
            prompt: 9,
            cached: 0,
            contexts: None,
        };
        let expected = "0 of 9 prompt tokens came from the child's cache";
        assert_eq!(removed.sentence(), expected);
    }
}
