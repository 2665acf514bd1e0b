//! Formats the details of one model from `GET /api/status`.

use paddock_api::{ContextRestore, Model, ModelContexts};

use super::contexts::{format_kept, format_reuse};
use super::{format_in_flight, model_bytes};
use crate::format::{format_age, format_bytes};
use crate::output;
use crate::table::ColumnWidths;

/// Formats the model's facts, one per line. `now` is the current time in seconds since 1970.
pub(super) fn format(model: &Model, now: f64) -> String {
    let aliases = model.aliases.iter().map(|alias| output::printable(alias));
    let aliases: Vec<String> = aliases.collect();
    let requests = format!(
        "{} in flight, {} queued",
        format_in_flight(model),
        model.queued
    );
    let failure = model.failure.as_ref();
    let lines = [
        ("model", Some(output::printable(&model.id))),
        ("aliases", (!aliases.is_empty()).then(|| aliases.join(", "))),
        ("status", Some(format_status(model))),
        ("requests", Some(requests)),
        ("memory", model_bytes(&model.memory).map(format_bytes)),
        ("pid", model.pid.map(|pid| pid.to_string())),
        (
            "suspicion",
            model.suspicion.as_deref().map(output::printable),
        ),
        (
            "failure",
            failure.map(|failure| output::printable(&failure.message)),
        ),
    ];
    let contexts = context_lines(&model.contexts, now);
    let lines = lines.into_iter().chain(contexts);
    let cells = lines.filter_map(|(name, value)| Some([name.to_owned(), value?]));
    let cells: Vec<[String; 2]> = cells.collect();
    ColumnWidths::new(&["", ""]).align(&cells)
}

fn format_status(model: &Model) -> String {
    let since = model
        .since
        .map(|since| format!(" for {}", format_age(since)));
    let pinned = if model.pinned { ", pinned" } else { "" };
    let since = since.unwrap_or_default();
    format!("{}{since}{pinned}", model.status.as_str())
}

fn context_lines(contexts: &ModelContexts, now: f64) -> [(&'static str, Option<String>); 5] {
    let counts = &contexts.counts;
    let kept = match &contexts.not_kept {
        None => format_kept(counts),
        Some(reason) => format!("not kept: {}", output::printable(reason)),
    };
    let deleted = counts.deleted;
    let restored = format_result(counts.restored, counts.restore_failures);
    let last = contexts.last_restore.as_ref();
    let last = last.map(|last| format!("; {}", format_restore(last, now)));
    [
        ("contexts", Some(kept)),
        ("  saved", format_result(counts.saved, counts.save_failures)),
        (
            "  restored",
            restored.map(|restored| restored + &last.unwrap_or_default()),
        ),
        (
            "  deleted",
            (deleted > 0).then(|| format!("{deleted} because of the quota or their age")),
        ),
        (
            "  reused",
            format_reuse(counts).map(|reuse| format!("{} times: {reuse}", counts.hits)),
        ),
    ]
}

/// Formats the counts of completed and failed attempts; `None` without any attempt.
fn format_result(complete: u64, failed: u64) -> Option<String> {
    match (complete, failed) {
        (0, 0) => None,
        (complete, 0) => Some(complete.to_string()),
        (complete, failed) => Some(format!("{complete}, {failed} failed")),
    }
}

fn format_restore(last: &ContextRestore, now: f64) -> String {
    format!(
        "last {} ago: {} of {} ({} tokens) in {:.2} s",
        format_age(now - last.at),
        last.contexts,
        last.found,
        last.tokens,
        last.seconds
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use paddock_api::{ContextCounts, ModelStatus};

    #[test]
    fn the_details_of_a_model_include_its_contexts() {
        let mut model = Model {
            id: "gemma".to_owned(),
            aliases: vec!["g".to_owned()],
            status: ModelStatus::Ready,
            since: Some(62.0),
            in_flight: 1,
            pinned: true,
            contexts: ModelContexts {
                not_kept: None,
                last_restore: Some(ContextRestore {
                    at: 100.0,
                    found: 4,
                    contexts: 3,
                    tokens: 4200,
                    seconds: 0.21,
                    ..ContextRestore::default()
                }),
                counts: ContextCounts {
                    stored: 4,
                    bytes: 3 << 20,
                    saved: 7,
                    save_failures: 1,
                    restored: 3,
                    restore_failures: 0,
                    deleted: 2,
                    hits: 3,
                    tokens_reused: 4100,
                    seconds_saved: 31.0,
                },
            },
            ..Model::default()
        };
        let expected = "\
model       gemma
aliases     g
status      ready for 1m 2s, pinned
requests    1 in flight, 0 queued
contexts    4 kept (3.0 MiB)
  saved     7, 1 failed
  restored  3; last 1m 0s ago: 3 of 4 (4200 tokens) in 0.21 s
  deleted   2 because of the quota or their age
  reused    3 times: 4100 prompt tokens not read again, 31s saved
";
        assert_eq!(format(&model, 160.0), expected);
        model.contexts = ModelContexts {
            not_kept: Some("the model has a projector".to_owned()),
            ..ModelContexts::default()
        };
        let text = format(&model, 160.0);
        let (_, contexts) = text.split_once("queued\n").unwrap();
        assert_eq!(contexts, "contexts  not kept: the model has a projector\n");
    }
}
