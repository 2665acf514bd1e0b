//! Describes the journal's events of a model in English sentences.

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

/// Returns the kind of a decision, in one word.
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
            "{name} was unloaded after being idle for {} (its keep_alive)",
            format_duration(*idle)
        ),
        Note::Unloaded => format!("{name} was unloaded by the operator"),
        Note::Pinned { by } => {
            let by = author(*by);
            format!("{by} pinned {name}: it will not be evicted, nor unloaded when idle")
        }
        Note::Unpinned { by } => {
            let by = author(*by);
            format!("{by} unpinned {name}: it can be evicted again, and unloaded when idle")
        }
        Note::Reconfigured => {
            format!("{name} was unloaded: its configuration changed, or the model was removed")
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
        } => format!("{name} was requested by the operator, or set to load at startup"),
        Note::Wanted {
            by: WantedBy::Queue,
        } => format!("{name} is needed again: it was unloaded while requests were waiting for it"),
        _ => format!("{name} was not loaded: no request is waiting for it any more"),
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
            "{name} is waiting for memory: it needs {}, and {} is free{}{}",
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
            "{name} was started: it is expected to use {} of the {} that is free",
            memory(needs),
            memory(free)
        ),
        _ => format!(
            "{name} has never been loaded: the engine checks its files before any model is evicted"
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
            "{name} was evicted to make room for {}: it was idle for {} and freed {}; no cheaper choice was found \
             (value {worth:.2}: recent uses × load seconds)",
            names.name(*by),
            format_duration(*idle),
            memory(frees)
        ),
        Note::OverBudget { idle, over } => format!(
            "{name} was evicted after being idle for {}: loaded models exceeded the budget by {}",
            format_duration(*idle),
            memory(over)
        ),
        Note::DrainsFor {
            to,
            waited,
            in_flight,
        } => format!(
            "{name} accepts no new requests and will be unloaded once {}: {} has waited {} for its memory",
            describe_in_flight(*in_flight),
            names.name(*to),
            format_duration(*waited)
        ),
        _ => format!("{name} stays loaded: it no longer has to make room for another model"),
    }
}

/// Describes the end of the requests that a draining model still serves.
fn describe_in_flight(requests: u32) -> String {
    match requests {
        1 => "its in-flight request finishes".to_owned(),
        requests => format!("its {requests} in-flight requests finish"),
    }
}

fn describe_refusal(name: &str, note: &Note, names: &DisplayNames) -> String {
    let memory = |memory| names.format_memory(memory);
    match note {
        Note::OutOfMemory { free } => format!(
            "{name} ran out of memory although {} was expected to be free: another model will be evicted and \
             {name} tried once more",
            memory(free)
        ),
        Note::DoesNotFit {
            needs,
            available,
            pinned,
        } => format!(
            "{name} cannot be loaded: it needs {}, but at most {} can be freed; no model was evicted{}",
            memory(needs),
            memory(available),
            list_after("; to free more, unpin: ", pinned, names)
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
        PinnedBy::Configuration => "a configuration change",
    }
}

#[cfg(test)]
mod tests;
