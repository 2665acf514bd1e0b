//! Keeps the latest decisions about each model and the latest requests that waited, for `explain`.

use super::child_failure::{ChildFailure, format_clock};
use super::inspection::PromptCache;
use crate::memory::ByteSize;
use paddock_scheduler::{Memory, ModelId, Note, PinnedBy, WantedBy};
use paddock_supervisor::Failure;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// Notes kept for each model.
const MAX_NOTES_PER_MODEL: usize = 100;

/// Answered requests kept.
const MAX_REQUESTS: usize = 1_000;

/// Recent decisions and waits.
#[derive(Debug, Default)]
pub(super) struct Journal {
    notes: HashMap<ModelId, VecDeque<JournalNote>>,
    requests: VecDeque<WaitRecord>,
}

/// A note about a model.
#[derive(Debug)]
struct JournalNote {
    at: SystemTime,
    event: JournalEvent,
    /// The number of later refusals for the same reason, and the time of the last one.
    again: Option<(u64, SystemTime)>,
}

#[derive(Debug)]
enum JournalEvent {
    Decided(Note),
    ChildFailed(ChildFailure),
    Unloadable(Arc<Failure>),
    /// A child starts with this prompt cache.
    PromptCache(PromptCache),
}

impl JournalEvent {
    /// Returns true if the note holds the cause of a failure.
    fn is_cause(&self) -> bool {
        matches!(self, Self::ChildFailed(_) | Self::Unloadable(_))
    }

    fn is_refusal(&self) -> bool {
        let refusal = |note: &Note| matches!(note, Note::Failed { .. } | Note::DoesNotFit { .. });
        matches!(self, Self::Decided(note) if refusal(note))
    }
}

/// A request that had to wait or was refused.
#[derive(Debug, Clone)]
pub(super) struct WaitRecord {
    pub(super) name: String,
    pub(super) model: ModelId,
    pub(super) arrived: SystemTime,
    pub(super) since: Instant,
    /// Time waited and outcome; `None` while it waits.
    pub(super) outcome: Option<(Duration, WaitOutcome)>,
}

/// The outcome of a wait.
#[derive(Debug, Clone)]
pub(crate) enum WaitOutcome {
    /// The request got a lease.
    Granted,
    /// The request was refused with this message.
    Refused { kind: &'static str, message: String },
    /// The client left.
    Left,
}

/// A decision about a model, for people.
#[derive(Debug, Clone)]
pub struct JournalEntry {
    /// Time of the decision.
    pub at: SystemTime,
    /// The kind of decision, in one word.
    pub kind: &'static str,
    /// The decision as a sentence.
    pub message: String,
}

/// The history of a request, for people.
#[derive(Debug, Clone)]
pub struct RequestExplanation {
    /// The `x-request-id` of the request.
    pub request: String,
    /// Name of the model.
    pub model: String,
    /// Arrival of the request.
    pub arrived: SystemTime,
    /// Time spent waiting.
    pub waited: Duration,
    /// `waiting`, `granted`, `refused` or `left`.
    pub outcome: &'static str,
    /// Kind and message of the refusal.
    pub error: Option<(&'static str, String)>,
    /// Decisions about the model during the wait, preceded by the one that led to them.
    pub meanwhile: Vec<JournalEntry>,
}

impl Journal {
    pub(super) fn note(&mut self, model: ModelId, note: Note) {
        self.push(model, JournalEvent::Decided(note));
    }

    pub(super) fn child_failed(&mut self, model: ModelId, failure: ChildFailure) {
        self.push(model, JournalEvent::ChildFailed(failure));
    }

    /// Notes that the model's files, or its last child, show that it cannot be loaded.
    pub(super) fn unloadable(&mut self, model: ModelId, cause: Arc<Failure>) {
        self.push(model, JournalEvent::Unloadable(cause));
    }

    /// Notes the prompt cache of a starting child, if known.
    pub(super) fn prompt_cache(&mut self, model: ModelId, cache: PromptCache) {
        if cache.is_known() {
            self.push(model, JournalEvent::PromptCache(cache));
        }
    }

    /// Counts another refusal for the reason that was noted last.
    pub(super) fn refused_again(&mut self, model: ModelId) {
        let notes = self.notes.entry(model).or_default();
        let Some(last) = notes.iter().rposition(|note| note.event.is_refusal()) else {
            return;
        };
        let wanted =
            |note: &JournalNote| matches!(note.event, JournalEvent::Decided(Note::Wanted { .. }));
        if let Some(wanted) = notes.iter().rposition(wanted).filter(|at| *at > last) {
            notes.remove(wanted);
        }
        if let Some(refusal) = notes.get_mut(last) {
            let (times, _) = refusal.again.unwrap_or((0, refusal.at));
            refusal.again = Some((times + 1, SystemTime::now()));
        }
    }

    fn push(&mut self, model: ModelId, event: JournalEvent) {
        let notes = self.notes.entry(model).or_default();
        if notes.len() == MAX_NOTES_PER_MODEL {
            // The last cause of a failure stays, whatever was decided since.
            let cause = notes.iter().rposition(|note| note.event.is_cause());
            notes.remove(usize::from(cause == Some(0)));
        }
        notes.push_back(JournalNote {
            at: SystemTime::now(),
            event,
            again: None,
        });
    }

    pub(super) fn record_wait(&mut self, record: WaitRecord) {
        if self.requests.len() == MAX_REQUESTS {
            self.requests.pop_front();
        }
        self.requests.push_back(record);
    }

    /// Returns the newest answered request of that name.
    pub(super) fn request(&self, name: &str) -> Option<&WaitRecord> {
        self.requests
            .iter()
            .rev()
            .find(|record| record.name == name)
    }

    /// Returns the decisions about a model, the newest last.
    pub(super) fn entries(&self, model: ModelId, names: &DisplayNames) -> Vec<JournalEntry> {
        let notes = self.notes.get(&model).into_iter().flatten();
        let describe = |entry: &JournalNote| {
            let name = names.name(model);
            let (kind, mut message) = match &entry.event {
                JournalEvent::Decided(note) => (note_kind(note), describe_note(name, note, names)),
                JournalEvent::ChildFailed(failure) => ("died", failure.sentence(name)),
                JournalEvent::Unloadable(cause) => {
                    ("unloadable", format!("{name} is not loaded: {cause}"))
                }
                JournalEvent::PromptCache(cache) => ("prompt_cache", cache.sentence(name)),
            };
            if let Some((times, last)) = entry.again {
                let since = format!("; requests were refused so {times} more times, last at ");
                message += &since;
                message += &format_clock(last);
            }
            JournalEntry {
                at: entry.at,
                kind,
                message,
            }
        };
        notes.map(describe).collect()
    }

    pub(super) fn explain(&self, record: &WaitRecord, names: &DisplayNames) -> RequestExplanation {
        let (time, outcome, error) = match &record.outcome {
            None => (record.since.elapsed(), "waiting", None),
            Some((time, WaitOutcome::Granted)) => (*time, "granted", None),
            Some((time, WaitOutcome::Left)) => (*time, "left", None),
            Some((time, WaitOutcome::Refused { kind, message })) => {
                (*time, "refused", Some((*kind, message.clone())))
            }
        };
        let mut meanwhile = self.entries(record.model, names);
        let end = record.arrived + time + Duration::from_millis(1);
        meanwhile.retain(|entry| entry.at <= end);
        // Keep the last decision before the arrival, and all later ones.
        let before = meanwhile
            .iter()
            .filter(|entry| entry.at < record.arrived)
            .count();
        meanwhile.drain(..before.saturating_sub(1));
        RequestExplanation {
            request: record.name.clone(),
            model: names.name(record.model).to_owned(),
            arrived: record.arrived,
            waited: time,
            outcome,
            error,
            meanwhile,
        }
    }
}

/// Names of models and devices by index.
#[derive(Debug)]
pub(crate) struct DisplayNames {
    pub(super) models: Vec<String>,
    pub(super) devices: Vec<String>,
}

impl DisplayNames {
    pub(super) fn name(&self, model: ModelId) -> &str {
        self.models.get(model.0).map_or("a model", String::as_str)
    }

    /// Formats an amount: the host's and each device's.
    fn format_memory(&self, memory: &Memory) -> String {
        format_memory(memory, &self.devices)
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

pub(super) fn describe_note(name: &str, note: &Note, names: &DisplayNames) -> String {
    let memory = |memory: &Memory| names.format_memory(memory);
    let list = |models: &[ModelId]| {
        let names: Vec<_> = models.iter().map(|model| names.name(*model)).collect();
        names.join(", ")
    };
    let among = |what: &str, models: &[ModelId]| match models {
        [] => String::new(),
        models => format!("{what}{}", list(models)),
    };
    match note {
        Note::Wanted { by } => describe_wanted(name, *by),
        Note::WaitsForRoom {
            needs,
            free,
            kept,
            pinned,
        } => format!(
            "{name} waits: it needs {}, {} is free{}{}",
            memory(needs),
            memory(free),
            among("; in use or loaded a moment ago: ", kept),
            among("; pinned: ", pinned)
        ),
        Note::Tries => describe_tries(name),
        Note::MakesRoom { needs, victims } => {
            format!(
                "{name} needs {}: {} made room",
                memory(needs),
                list(victims)
            )
        }
        Note::Starts { needs, free } => format!(
            "{name} was started: it is expected to hold {} of the {} that were free",
            memory(needs),
            memory(free)
        ),
        Note::Ready { took } => format!("{name} was ready after {}", format_duration(*took)),
        Note::Evicted {
            by,
            idle,
            worth,
            frees,
        } => format!(
            "{name} was evicted for {}: idle for {}, it was the cheapest to lose (worth {worth:.2}: \
             uses lately × seconds to load) and freed {}",
            names.name(*by),
            format_duration(*idle),
            memory(frees)
        ),
        Note::OverBudget { idle, over } => format!(
            "{name} was evicted, idle for {}: models were seen to hold {} more than they may",
            format_duration(*idle),
            memory(over)
        ),
        Note::DrainsFor {
            to,
            waited,
            in_flight,
        } => format!(
            "{name} lets nobody new in, and goes when its {in_flight} requests in flight have ended: \
             {} has waited {} for its memory",
            names.name(*to),
            format_duration(*waited)
        ),
        Note::DrainCancelled => format!("{name} stays: nobody waits for its memory any more"),
        Note::KeepAliveExpired { idle } => {
            format!(
                "{name} was unloaded: nobody used it for {}, its keep_alive",
                format_duration(*idle)
            )
        }
        Note::Unloaded => format!("{name} was unloaded by the operator"),
        Note::Pinned { by } => describe_pinned(name, *by),
        Note::Unpinned { by } => describe_unpinned(name, *by),
        Note::Reconfigured => format!("{name} has another configuration now, or none"),
        Note::OutOfMemory { free } => format!(
            "{name} ran out of memory though {} was thought to be free: another model goes, and it \
             is tried once more",
            memory(free)
        ),
        Note::Failed { retry } => describe_failed(name, *retry),
        Note::DoesNotFit {
            needs,
            available,
            pinned,
        } => format!(
            "{name} was refused and nothing evicted for it: it needs {}, and there could be {} at most{}",
            memory(needs),
            memory(available),
            among(
                "; the rest is held by pinned models, which go for it once they are unpinned: ",
                pinned
            )
        ),
        Note::Abandoned => {
            format!("{name} was not loaded after all: nobody waited for it any more")
        }
    }
}

fn describe_tries(name: &str) -> String {
    format!(
        "{name} was tried in the engine before any model makes room for it: its files have not been loaded before"
    )
}

fn describe_wanted(name: &str, by: WantedBy) -> String {
    match by {
        WantedBy::Request(_) => format!("{name} was asked for by a request"),
        WantedBy::Operator => format!("{name} was asked for by the operator or the configuration"),
        WantedBy::Queue => format!("{name} still had requests waiting when it had to go"),
    }
}

fn describe_failed(name: &str, retry: Option<Duration>) -> String {
    match retry {
        Some(after) => format!(
            "{name} failed; it may be tried again after {}",
            format_duration(after)
        ),
        None => {
            format!("{name} failed; it is not tried again until something about it has changed")
        }
    }
}

fn describe_pinned(name: &str, by: PinnedBy) -> String {
    let by = author(by);
    format!("{name} was pinned by {by}: it goes for no other model, nor for being idle")
}

fn describe_unpinned(name: &str, by: PinnedBy) -> String {
    let by = author(by);
    format!("{name} was unpinned by {by}: it goes like any other model")
}

fn author(by: PinnedBy) -> &'static str {
    match by {
        PinnedBy::Operator => "the operator",
        PinnedBy::Configuration => "a change of its configuration",
    }
}

fn format_duration(duration: Duration) -> String {
    match duration.as_secs() {
        0..10 => format!("{:.2} s", duration.as_secs_f64()),
        10..120 => format!("{} s", duration.as_secs()),
        seconds => format!("{} min", seconds / 60),
    }
}

/// Formats an amount: the host's and each device's.
pub(super) fn format_memory(memory: &Memory, devices: &[String]) -> String {
    let mut parts = Vec::new();
    for (index, device) in devices
        .iter()
        .enumerate()
        .filter(|(index, _)| memory.device(*index) > 0)
    {
        parts.push(format!("{} on {device}", ByteSize(memory.device(index))));
    }
    if memory.host() > 0 || parts.is_empty() {
        parts.insert(0, ByteSize(memory.host()).to_string());
    }
    parts.join(" and ")
}

#[cfg(test)]
mod tests;
