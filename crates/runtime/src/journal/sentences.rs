//! Describes events of a model in sentences.

use super::JournalEvent;
use super::format::{DisplayNames, format_clock, format_duration};
use paddock_scheduler::{ModelId, Note, PinnedBy, WantedBy};
use paddock_supervisor::Failure;
use std::time::{Duration, SystemTime};

impl JournalEvent {
    /// Returns the kind of the event, in one word.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Decided(note) => note_kind(note),
            Self::ChildFailed(_) => "died",
            Self::Unloadable(_) => "unloadable",
            Self::PromptCache(_) => "prompt_cache",
        }
    }

    /// Describes the event in one sentence.
    pub(super) fn sentence(&self, model: ModelId, names: &DisplayNames) -> String {
        let name = names.name(model);
        match self {
            Self::Decided(note) => describe_note(name, note, names),
            Self::ChildFailed(failure) => failure.sentence(name),
            Self::Unloadable(cause) => describe_unloadable(name, cause),
            Self::PromptCache(cache) => cache.sentence(name),
        }
    }
}

/// Describes a model whose files show that it cannot be loaded.
pub(crate) fn describe_unloadable(name: &str, cause: &Failure) -> String {
    format!("{name} cannot be loaded: {cause}")
}

/// Describes refusals that repeated an earlier one, as the end of its sentence.
pub(super) fn describe_repeats(times: u64, last: SystemTime) -> String {
    let last = format_clock(last);
    match times {
        1 => format!("; refused once more for the same reason, at {last}"),
        times => format!("; refused {times} more times for the same reason, last at {last}"),
    }
}

fn note_kind(note: &Note) -> &'static str {
    match note {
        Note::Wanted { .. } => "wanted",
        Note::WaitsForRoom { .. } => "waits_for_room",
        Note::Tries => "tries",
        Note::MakesRoom { .. } => "makes_room",
        Note::Starts { .. } => "starts",
        Note::Ready { .. } => "ready",
        Note::Evicted { .. } | Note::OverBudget { .. } => "evicted",
        Note::DrainsFor { .. } => "yields",
        Note::DrainCancelled => "stays",
        Note::KeepAliveExpired { .. } => "keep_alive_over",
        Note::Unloaded => "unloaded",
        Note::Pinned { .. } => "pinned",
        Note::Unpinned { .. } => "unpinned",
        Note::Reconfigured => "reconfigured",
        Note::OutOfMemory { .. } => "out_of_memory",
        Note::Failed { .. } => "failed",
        Note::DoesNotFit { .. } => "does_not_fit",
        Note::Abandoned => "abandoned",
    }
}

/// Describes a decision of the scheduler about the model `name`.
pub(crate) fn describe_note(name: &str, note: &Note, names: &DisplayNames) -> String {
    match note {
        Note::Wanted { .. } | Note::Abandoned => describe_demand(name, note),
        Note::WaitsForRoom { .. } | Note::Tries | Note::MakesRoom { .. } | Note::Starts { .. } => {
            describe_start(name, note, names)
        }
        Note::Evicted { .. }
        | Note::OverBudget { .. }
        | Note::DrainsFor { .. }
        | Note::DrainCancelled => describe_eviction(name, note, names),
        Note::Ready { took } => format!("{name} was ready after {}", format_duration(*took)),
        Note::KeepAliveExpired { idle } => format!(
            "{name} was unloaded: it was not used for {}, its keep_alive",
            format_duration(*idle)
        ),
        Note::Unloaded => format!("{name} was unloaded by the operator"),
        Note::Pinned { by } => {
            let by = author(*by);
            format!("{by} pinned {name}: it will not be evicted or unloaded when idle")
        }
        Note::Unpinned { by } => {
            let by = author(*by);
            format!("{by} unpinned {name}: it can be evicted and unloaded when idle")
        }
        Note::Reconfigured => {
            format!("{name} was unloaded: its configuration was changed or removed")
        }
        Note::OutOfMemory { .. } | Note::Failed { .. } | Note::DoesNotFit { .. } => {
            describe_refusal(name, note, names)
        }
    }
}

fn describe_demand(name: &str, note: &Note) -> String {
    match note {
        Note::Wanted {
            by: WantedBy::Request(_),
        } => format!("{name} was requested by a client"),
        Note::Wanted {
            by: WantedBy::Operator,
        } => format!("{name} was requested by the operator or the configuration"),
        Note::Wanted {
            by: WantedBy::Queue,
        } => format!("{name} is needed again: it was unloaded while requests were waiting for it"),
        _ => format!("{name} was not loaded: no request waits for it any more"),
    }
}

fn describe_start(name: &str, note: &Note, names: &DisplayNames) -> String {
    let memory = |memory| names.format_memory(memory);
    match note {
        Note::WaitsForRoom {
            needs,
            free,
            kept,
            pinned,
        } => format!(
            "{name} waits for memory: it needs {}, and {} is free{}{}",
            memory(needs),
            memory(free),
            list_after("; in use or recently loaded: ", kept, names),
            list_after("; pinned: ", pinned, names)
        ),
        Note::MakesRoom { needs, victims } => format!(
            "{name} needs {}: unloading {} to free memory",
            memory(needs),
            names.list(victims)
        ),
        Note::Starts { needs, free } => format!(
            "{name} was started: it is expected to use {} of {} free",
            memory(needs),
            memory(free)
        ),
        _ => format!(
            "{name} was never loaded before: the engine checks its files first, before another model is evicted"
        ),
    }
}

fn describe_eviction(name: &str, note: &Note, names: &DisplayNames) -> String {
    let memory = |memory| names.format_memory(memory);
    match note {
        Note::Evicted {
            by,
            idle,
            worth,
            frees,
        } => format!(
            "{name} was evicted for {}: idle for {}, the lowest value of all idle models ({worth:.2}: recent uses \
             × seconds to load), freed {}",
            names.name(*by),
            format_duration(*idle),
            memory(frees)
        ),
        Note::OverBudget { idle, over } => format!(
            "{name} was evicted, idle for {}: the loaded models use {} more than the budget",
            format_duration(*idle),
            memory(over)
        ),
        Note::DrainsFor {
            to,
            waited,
            in_flight,
        } => format!(
            "{name} accepts no new requests and will be unloaded when its {in_flight} in-flight requests have \
             ended: {} has waited {} for its memory",
            names.name(*to),
            format_duration(*waited)
        ),
        _ => format!("{name} stays loaded: no other model waits for its memory any more"),
    }
}

fn describe_refusal(name: &str, note: &Note, names: &DisplayNames) -> String {
    let memory = |memory| names.format_memory(memory);
    match note {
        Note::OutOfMemory { free } => format!(
            "{name} ran out of memory although {} was expected to be free: another model is evicted, and {name} is \
             tried once more",
            memory(free)
        ),
        Note::DoesNotFit {
            needs,
            available,
            pinned,
        } => format!(
            "{name} was refused and no model was evicted for it: it needs {}, and at most {} can become free{}",
            memory(needs),
            memory(available),
            list_after(
                "; pinned models use the rest and can be evicted once they are unpinned: ",
                pinned,
                names
            )
        ),
        Note::Failed { retry: Some(after) } => describe_retry(name, *after),
        _ => format!(
            "{name} failed; it will not be tried again until its files or its configuration change"
        ),
    }
}

fn describe_retry(name: &str, after: Duration) -> String {
    let after = format_duration(after);
    format!("{name} failed; it can be tried again after {after}")
}

/// Lists models after an introduction; returns nothing for an empty list.
fn list_after(introduction: &str, models: &[ModelId], names: &DisplayNames) -> String {
    match models {
        [] => String::new(),
        models => format!("{introduction}{}", names.list(models)),
    }
}

fn author(by: PinnedBy) -> &'static str {
    match by {
        PinnedBy::Operator => "the operator",
        PinnedBy::Configuration => "a change of the configuration",
    }
}

#[cfg(test)]
mod tests;
