//! Why everything was done: the last decisions about each model, and the last requests that waited.

use super::death::{Death, clock};
use super::inspect::PromptCache;
use crate::memory::Bytes;
use paddock_scheduler::{Memory, ModelId, Note, PinnedBy, WantedBy};
use paddock_supervisor::Failure;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// How many decisions are kept of each model.
const NOTES: usize = 100;

/// How many requests are kept that have been answered.
const REQUESTS: usize = 1_000;

/// What has been decided.
#[derive(Debug, Default)]
pub(super) struct Journal {
    notes: HashMap<ModelId, VecDeque<Entry>>,
    requests: VecDeque<Waited>,
}

/// Something that is remembered of a model.
#[derive(Debug)]
struct Entry {
    at: SystemTime,
    happened: Happened,
    /// The number of later refusals for the same reason, and the time of the last one.
    again: Option<(u64, SystemTime)>,
}

#[derive(Debug)]
enum Happened {
    Decided(Note),
    Died(Death),
    Unloadable(Arc<Failure>),
    /// A child is started with this prompt cache.
    Caches(PromptCache),
}

impl Happened {
    /// Returns whether the note has the cause of a failure.
    fn is_cause(&self) -> bool {
        matches!(self, Self::Died(_) | Self::Unloadable(_))
    }

    fn is_refusal(&self) -> bool {
        let refusal = |note: &Note| matches!(note, Note::Failed { .. } | Note::DoesNotFit { .. });
        matches!(self, Self::Decided(note) if refusal(note))
    }
}

/// A request that had to wait, or was refused.
#[derive(Debug, Clone)]
pub(super) struct Waited {
    pub(super) name: String,
    pub(super) model: ModelId,
    pub(super) arrived: SystemTime,
    pub(super) since: Instant,
    /// How long it waited, and how that ended; nothing while it waits.
    pub(super) ended: Option<(Duration, Ended)>,
}

/// How waiting ended.
#[derive(Debug, Clone)]
pub(crate) enum Ended {
    /// It went to the model.
    Granted,
    /// It was refused, in these words.
    Refused { kind: &'static str, words: String },
    /// Its client left.
    Left,
}

/// One decision, for people.
#[derive(Debug, Clone)]
pub struct Told {
    /// When.
    pub at: SystemTime,
    /// What it was, in one word.
    pub what: &'static str,
    /// All of it, in a sentence.
    pub words: String,
}

/// What became of a request, for people.
#[derive(Debug, Clone)]
pub struct Explained {
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
    /// Why it was refused.
    pub error: Option<(&'static str, String)>,
    /// What happened to its model meanwhile, and what had led to that.
    pub meanwhile: Vec<Told>,
}

impl Journal {
    pub(super) fn note(&mut self, model: ModelId, note: Note) {
        self.happened(model, Happened::Decided(note));
    }

    pub(super) fn died(&mut self, model: ModelId, death: Death) {
        self.happened(model, Happened::Died(death));
    }

    /// Notes why its files, or its last child, say that it does not load.
    pub(super) fn unloadable(&mut self, model: ModelId, cause: Arc<Failure>) {
        self.happened(model, Happened::Unloadable(cause));
    }

    /// Notes the prompt cache of a child that is started, unless nothing is known of one.
    pub(super) fn caches(&mut self, model: ModelId, cache: PromptCache) {
        if cache.is_known() {
            self.happened(model, Happened::Caches(cache));
        }
    }

    /// Notes that the model was wanted again and refused for the reason that was noted last.
    pub(super) fn refused_again(&mut self, model: ModelId) {
        let notes = self.notes.entry(model).or_default();
        let Some(last) = notes.iter().rposition(|note| note.happened.is_refusal()) else {
            return;
        };
        let wanted = |note: &Entry| matches!(note.happened, Happened::Decided(Note::Wanted { .. }));
        if let Some(wanted) = notes.iter().rposition(wanted).filter(|at| *at > last) {
            notes.remove(wanted);
        }
        if let Some(refusal) = notes.get_mut(last) {
            let (times, _) = refusal.again.unwrap_or((0, refusal.at));
            refusal.again = Some((times + 1, SystemTime::now()));
        }
    }

    fn happened(&mut self, model: ModelId, happened: Happened) {
        let notes = self.notes.entry(model).or_default();
        if notes.len() == NOTES {
            // The last cause of a failure stays, whatever has been decided since.
            let cause = notes.iter().rposition(|note| note.happened.is_cause());
            notes.remove(usize::from(cause == Some(0)));
        }
        notes.push_back(Entry {
            at: SystemTime::now(),
            happened,
            again: None,
        });
    }

    pub(super) fn ended(&mut self, waited: Waited) {
        if self.requests.len() == REQUESTS {
            self.requests.pop_front();
        }
        self.requests.push_back(waited);
    }

    /// The last request of that name that has been answered.
    pub(super) fn request(&self, name: &str) -> Option<&Waited> {
        self.requests
            .iter()
            .rev()
            .find(|waited| waited.name == name)
    }

    /// The decisions about a model, the newest last.
    pub(super) fn told(&self, model: ModelId, names: &Names) -> Vec<Told> {
        let notes = self.notes.get(&model).into_iter().flatten();
        let tell = |entry: &Entry| {
            let name = names.name(model);
            let (what, mut words) = match &entry.happened {
                Happened::Decided(note) => (what(note), sentence(name, note, names)),
                Happened::Died(death) => ("died", death.sentence(name)),
                Happened::Unloadable(cause) => {
                    ("unloadable", format!("{name} is not loaded: {cause}"))
                }
                Happened::Caches(cache) => ("prompt_cache", cache.sentence(name)),
            };
            if let Some((times, last)) = entry.again {
                let since = format!("; requests were refused so {times} more times, last at ");
                words += &since;
                words += &clock(last);
            }
            Told {
                at: entry.at,
                what,
                words,
            }
        };
        notes.map(tell).collect()
    }

    pub(super) fn explain(&self, waited: &Waited, names: &Names) -> Explained {
        let (time, outcome, error) = match &waited.ended {
            None => (waited.since.elapsed(), "waiting", None),
            Some((time, Ended::Granted)) => (*time, "granted", None),
            Some((time, Ended::Left)) => (*time, "left", None),
            Some((time, Ended::Refused { kind, words })) => {
                (*time, "refused", Some((*kind, words.clone())))
            }
        };
        let mut meanwhile = self.told(waited.model, names);
        let end = waited.arrived + time + Duration::from_millis(1);
        meanwhile.retain(|told| told.at <= end);
        // What led to it: the last decision before it came, and all that came after.
        let before = meanwhile
            .iter()
            .filter(|told| told.at < waited.arrived)
            .count();
        meanwhile.drain(..before.saturating_sub(1));
        Explained {
            request: waited.name.clone(),
            model: names.name(waited.model).to_owned(),
            arrived: waited.arrived,
            waited: time,
            outcome,
            error,
            meanwhile,
        }
    }
}

/// What models and devices are called, each in its place.
#[derive(Debug)]
pub(crate) struct Names {
    pub(super) models: Vec<String>,
    pub(super) devices: Vec<String>,
}

impl Names {
    pub(super) fn name(&self, model: ModelId) -> &str {
        self.models.get(model.0).map_or("a model", String::as_str)
    }

    /// An amount: the host's and each device's.
    fn memory(&self, memory: &Memory) -> String {
        memory_words(memory, &self.devices)
    }
}

fn what(note: &Note) -> &'static str {
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

pub(super) fn sentence(name: &str, note: &Note, names: &Names) -> String {
    let memory = |memory: &Memory| names.memory(memory);
    let list = |models: &[ModelId]| {
        let names: Vec<_> = models.iter().map(|model| names.name(*model)).collect();
        names.join(", ")
    };
    let among = |what: &str, models: &[ModelId]| match models {
        [] => String::new(),
        models => format!("{what}{}", list(models)),
    };
    match note {
        Note::Wanted { by } => wanted(name, *by),
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
        Note::Tries => tries(name),
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
        Note::Ready { took } => format!("{name} was ready after {}", time(*took)),
        Note::Evicted {
            by,
            idle,
            worth,
            frees,
        } => format!(
            "{name} was evicted for {}: idle for {}, it was the cheapest to lose (worth {worth:.2}: \
             uses lately × seconds to load) and freed {}",
            names.name(*by),
            time(*idle),
            memory(frees)
        ),
        Note::OverBudget { idle, over } => format!(
            "{name} was evicted, idle for {}: models were seen to hold {} more than they may",
            time(*idle),
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
            time(*waited)
        ),
        Note::DrainCancelled => format!("{name} stays: nobody waits for its memory any more"),
        Note::KeepAliveExpired { idle } => {
            format!(
                "{name} was unloaded: nobody used it for {}, its keep_alive",
                time(*idle)
            )
        }
        Note::Unloaded => format!("{name} was unloaded by the operator"),
        Note::Pinned { by } => pinned(name, *by),
        Note::Unpinned { by } => unpinned(name, *by),
        Note::Reconfigured => format!("{name} has another configuration now, or none"),
        Note::OutOfMemory { free } => format!(
            "{name} ran out of memory though {} was thought to be free: another model goes, and it \
             is tried once more",
            memory(free)
        ),
        Note::Failed { retry } => failed(name, *retry),
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

fn tries(name: &str) -> String {
    format!(
        "{name} was tried in the engine before any model makes room for it: its files have not been loaded before"
    )
}

fn wanted(name: &str, by: WantedBy) -> String {
    match by {
        WantedBy::Request(_) => format!("{name} was asked for by a request"),
        WantedBy::Operator => format!("{name} was asked for by the operator or the configuration"),
        WantedBy::Queue => format!("{name} still had requests waiting when it had to go"),
    }
}

fn failed(name: &str, retry: Option<Duration>) -> String {
    match retry {
        Some(after) => format!("{name} failed; it may be tried again after {}", time(after)),
        None => {
            format!("{name} failed; it is not tried again until something about it has changed")
        }
    }
}

fn pinned(name: &str, by: PinnedBy) -> String {
    let by = author(by);
    format!("{name} was pinned by {by}: it goes for no other model, nor for being idle")
}

fn unpinned(name: &str, by: PinnedBy) -> String {
    let by = author(by);
    format!("{name} was unpinned by {by}: it goes like any other model")
}

fn author(by: PinnedBy) -> &'static str {
    match by {
        PinnedBy::Operator => "the operator",
        PinnedBy::Configuration => "a change of its configuration",
    }
}

fn time(duration: Duration) -> String {
    match duration.as_secs() {
        0..10 => format!("{:.2} s", duration.as_secs_f64()),
        10..120 => format!("{} s", duration.as_secs()),
        seconds => format!("{} min", seconds / 60),
    }
}

/// Words an amount: the host's and each device's.
pub(super) fn memory_words(memory: &Memory, devices: &[String]) -> String {
    let mut parts = Vec::new();
    for (at, device) in devices
        .iter()
        .enumerate()
        .filter(|(at, _)| memory.device(*at) > 0)
    {
        parts.push(format!("{} on {device}", Bytes(memory.device(at))));
    }
    if memory.host() > 0 || parts.is_empty() {
        parts.insert(0, Bytes(memory.host()).to_string());
    }
    parts.join(" and ")
}

#[cfg(test)]
mod tests;
