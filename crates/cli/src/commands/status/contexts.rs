//! Formats contexts: conversations that paddock keeps when their model is unloaded.

use std::collections::BTreeMap;

use paddock_api::{ContextCounts, Status};

use crate::format::{format_age, format_bytes};
use crate::output;

/// Formats the contexts of a model for the table; `None` if the model has none.
pub(super) fn format_cell(counts: &ContextCounts) -> Option<String> {
    let ContextCounts { stored, bytes, .. } = *counts;
    (stored > 0).then(|| format!("{stored} ({})", format_bytes(bytes)))
}

/// Formats the totals of all models, if there are any, and the models whose contexts are not kept, with the reasons.
pub(super) fn format_totals(status: &Status) -> String {
    let totals = status.contexts.as_ref();
    let used = totals.filter(|totals| totals.stored + totals.saved + totals.hits > 0);
    let used = used.map(|totals| {
        let kept = format_kept(totals);
        match format_reuse(totals) {
            Some(reuse) => format!("contexts: {kept}; {reuse}\n"),
            None => format!("contexts: {kept}\n"),
        }
    });
    used.unwrap_or_default() + &format_reasons(status)
}

/// Formats the number of stored contexts and their size.
pub(super) fn format_kept(counts: &ContextCounts) -> String {
    format!("{} kept ({})", counts.stored, format_bytes(counts.bytes))
}

/// Formats the tokens and the time that contexts have saved; `None` if no request has continued a context.
pub(super) fn format_reuse(counts: &ContextCounts) -> Option<String> {
    let tokens = counts.tokens_reused;
    let time = format_age(counts.seconds_saved);
    (counts.hits > 0).then(|| format!("{tokens} prompt tokens not read again, {time} saved"))
}

/// Formats a line for each reason, with the models whose contexts are not kept for this reason.
fn format_reasons(status: &Status) -> String {
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for model in &status.models {
        if let Some(reason) = &model.contexts.not_kept {
            let models = reasons.entry(reason).or_default();
            models.push(output::printable(&model.id));
        }
    }
    let line = |(reason, models): (&str, Vec<String>)| {
        let reason = output::printable(reason);
        format!("contexts not kept for {}: {reason}\n", models.join(", "))
    };
    reasons.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use paddock_api::{Model, ModelContexts};

    #[test]
    fn totals_are_shown_if_there_are_any() {
        let status = |contexts| Status {
            contexts,
            ..Status::default()
        };
        assert_eq!(format_totals(&status(None)), "");
        let none = ContextCounts::default();
        assert_eq!(format_totals(&status(Some(none))), "");
        let stored = ContextCounts {
            stored: 2,
            bytes: 1 << 20,
            ..none
        };
        let expected = "contexts: 2 kept (1.0 MiB)\n";
        assert_eq!(format_totals(&status(Some(stored))), expected);
        let used = ContextCounts {
            hits: 3,
            tokens_reused: 4200,
            seconds_saved: 31.4,
            ..stored
        };
        let expected = "contexts: 2 kept (1.0 MiB); 4200 prompt tokens not read again, 31s saved\n";
        assert_eq!(format_totals(&status(Some(used))), expected);
    }

    #[test]
    fn models_without_contexts_are_grouped_by_reason() {
        let model = |id: &str, reason: Option<&str>| Model {
            id: id.to_owned(),
            contexts: ModelContexts {
                not_kept: reason.map(str::to_owned),
                ..ModelContexts::default()
            },
            ..Model::default()
        };
        let status = Status {
            models: vec![
                model("a", Some("the model has a projector")),
                model("b", None),
                model("c", Some("`context_cache` is off")),
                model("d", Some("the model has a projector")),
            ],
            ..Status::default()
        };
        let expected = "\
contexts not kept for c: `context_cache` is off
contexts not kept for a, d: the model has a projector
";
        assert_eq!(format_totals(&status), expected);
    }
}
