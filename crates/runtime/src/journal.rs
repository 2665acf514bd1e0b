//! Keeps the latest decisions about each model and the latest requests that waited, for `paddock explain`.

mod format;
mod request_explanation;
mod sentences;

use super::child_failure::ChildFailure;
use super::inspection::PromptCache;
pub(crate) use format::{DisplayNames, format_clock, format_duration, format_memory};
use paddock_scheduler::{ModelId, Note};
use paddock_supervisor::Failure;
pub use request_explanation::RequestExplanation;
pub(crate) use request_explanation::{WaitOutcome, WaitRecord};
pub(crate) use sentences::{describe_note, describe_unloadable};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::SystemTime;

/// Maximum number of notes kept for each model.
const MAX_NOTES_PER_MODEL: usize = 100;

/// Maximum number of requests kept whose wait has ended.
const MAX_REQUESTS: usize = 1_000;

/// Recent decisions and waits.
#[derive(Debug, Default)]
pub(super) struct Journal {
    notes: HashMap<ModelId, VecDeque<JournalNote>>,
    requests: VecDeque<WaitRecord>,
}

/// An event of a model with its time.
#[derive(Debug)]
struct JournalNote {
    at: SystemTime,
    event: JournalEvent,
    /// The number of later refusals for the same reason, and the time of the last one.
    again: Option<(u64, SystemTime)>,
}

/// An event in the life of a model that `explain` describes.
#[derive(Debug)]
pub(super) enum JournalEvent {
    /// The scheduler made a decision.
    Decided(Note),
    /// A child failed.
    ChildFailed(ChildFailure),
    /// The model's files, or its last child, show that it cannot be loaded.
    Unloadable(Arc<Failure>),
    /// A child starts with this prompt cache.
    PromptCache(PromptCache),
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

impl JournalEvent {
    /// Returns true if the note holds the cause of a failure.
    fn is_cause(&self) -> bool {
        matches!(self, Self::ChildFailed(_) | Self::Unloadable(_))
    }

    fn is_refusal(&self) -> bool {
        let refusal = |note: &Note| matches!(note, Note::Failed { .. } | Note::DoesNotFit { .. });
        matches!(self, Self::Decided(note) if refusal(note))
    }

    fn is_wanted(&self) -> bool {
        matches!(self, Self::Decided(Note::Wanted { .. }))
    }
}

impl Journal {
    /// Adds an event of a model that has just happened.
    pub(super) fn record(&mut self, model: ModelId, event: JournalEvent) {
        self.record_at(model, event, SystemTime::now());
    }

    fn record_at(&mut self, model: ModelId, event: JournalEvent, at: SystemTime) {
        let notes = self.notes.entry(model).or_default();
        if notes.len() == MAX_NOTES_PER_MODEL {
            // The last cause of a failure stays, whatever was decided since.
            let cause = notes.iter().rposition(|note| note.event.is_cause());
            notes.remove(usize::from(cause == Some(0)));
        }
        notes.push_back(JournalNote {
            at,
            event,
            again: None,
        });
    }

    /// Counts another refusal for the reason that was noted last, in place of the notes that led to it.
    pub(super) fn refused_again(&mut self, model: ModelId) {
        self.refused_again_at(model, SystemTime::now());
    }

    fn refused_again_at(&mut self, model: ModelId, at: SystemTime) {
        let notes = self.notes.entry(model).or_default();
        let Some(last) = notes.iter().rposition(|note| note.event.is_refusal()) else {
            return;
        };
        let wanted = notes.iter().rposition(|note| note.event.is_wanted());
        if let Some(wanted) = wanted.filter(|wanted| *wanted > last) {
            notes.remove(wanted);
        }
        if let Some(refusal) = notes.get_mut(last) {
            let (times, _) = refusal.again.unwrap_or((0, refusal.at));
            refusal.again = Some((times + 1, at));
        }
    }

    /// Adds a request whose wait has ended.
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
        notes.map(|note| note.describe(model, names)).collect()
    }
}

impl JournalNote {
    fn describe(&self, model: ModelId, names: &DisplayNames) -> JournalEntry {
        let mut message = self.event.sentence(model, names);
        if let Some((times, last)) = self.again {
            message += &sentences::describe_repeats(times, last);
        }
        JournalEntry {
            at: self.at,
            kind: self.event.kind(),
            message,
        }
    }
}

#[cfg(test)]
mod tests;
