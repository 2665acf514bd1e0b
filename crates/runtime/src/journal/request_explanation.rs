//! Explains the wait of a request by the decisions that were made about its model meanwhile.

use super::{DisplayNames, Journal, JournalEntry};
use paddock_scheduler::ModelId;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// A request that had to wait or was refused.
#[derive(Debug, Clone)]
pub(crate) struct WaitRecord {
    /// The `x-request-id` of the request.
    pub(crate) name: String,
    pub(crate) model: ModelId,
    pub(crate) arrived: SystemTime,
    pub(crate) since: Instant,
    /// Time waited and outcome; `None` while it waits.
    pub(crate) outcome: Option<(Duration, WaitOutcome)>,
}

/// The outcome of a wait.
#[derive(Debug, Clone)]
pub(crate) enum WaitOutcome {
    /// The request got a lease: the permission to be sent to the loaded model.
    Granted,
    /// The request was refused with this message.
    Refused { kind: &'static str, message: String },
    /// The client left.
    Left,
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
    /// Explains a request that waits or has waited.
    pub(crate) fn explain(
        &self,
        record: &WaitRecord,
        names: &DisplayNames,
        now: Instant,
    ) -> RequestExplanation {
        let (waited, outcome, error) = match &record.outcome {
            None => (now - record.since, "waiting", None),
            Some((time, WaitOutcome::Granted)) => (*time, "granted", None),
            Some((time, WaitOutcome::Left)) => (*time, "left", None),
            Some((time, WaitOutcome::Refused { kind, message })) => {
                (*time, "refused", Some((*kind, message.clone())))
            }
        };
        RequestExplanation {
            request: record.name.clone(),
            model: names.name(record.model).to_owned(),
            arrived: record.arrived,
            waited,
            outcome,
            error,
            meanwhile: entries_during(self.entries(record.model, names), record.arrived, waited),
        }
    }
}

/// Keeps the entries of a wait, and the last one before it. The millisecond after its end is included, because the
/// wait and the decision that ended it are timed separately.
fn entries_during(
    mut entries: Vec<JournalEntry>,
    arrived: SystemTime,
    waited: Duration,
) -> Vec<JournalEntry> {
    let end = arrived + waited + Duration::from_millis(1);
    entries.retain(|entry| entry.at <= end);
    let earlier = entries.iter().filter(|entry| entry.at < arrived).count();
    entries.drain(..earlier.saturating_sub(1));
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::JournalEvent;
    use paddock_scheduler::Note;

    const MODEL: ModelId = ModelId(0);

    fn at(millis: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
    }

    fn names() -> DisplayNames {
        DisplayNames {
            models: vec!["m".to_owned()],
            devices: Vec::new(),
        }
    }

    #[test]
    fn a_wait_is_explained_by_the_decisions_around_it() {
        let kinds = |arrived: u64, waited: u64| {
            let entries = [("a", 100), ("b", 200), ("c", 300), ("d", 400)];
            let entries = entries.map(|(kind, time)| JournalEntry {
                at: at(time),
                kind,
                message: String::new(),
            });
            let waited = Duration::from_millis(waited);
            let kept = entries_during(entries.to_vec(), at(arrived), waited);
            kept.iter().map(|entry| entry.kind).collect::<String>()
        };
        for (arrived, waited, expected) in [
            (250, 100, "bc"),
            (250, 10, "b"),
            (250, 49, "bc"),
            (250, 48, "b"),
            (50, 1000, "abcd"),
            (50, 10, ""),
            (200, 100, "abc"),
            (500, 1, "d"),
        ] {
            assert_eq!(kinds(arrived, waited), expected, "{arrived}+{waited}");
        }
    }

    #[test]
    fn each_outcome_has_its_word() {
        let mut journal = Journal::default();
        let abandoned = JournalEvent::Decided(Note::Abandoned);
        journal.record_at(MODEL, abandoned, at(1_000));
        let since = Instant::now();
        let now = since + Duration::from_secs(9);
        let two = Duration::from_secs(2);
        let error = || ("no_room", "no room".to_owned());
        let refused = WaitOutcome::Refused {
            kind: error().0,
            message: error().1,
        };
        for (outcome, word, waited, expected_error) in [
            (None, "waiting", 9, None),
            (Some((two, WaitOutcome::Granted)), "granted", 2, None),
            (Some((two, WaitOutcome::Left)), "left", 2, None),
            (Some((two, refused)), "refused", 2, Some(error())),
        ] {
            let record = WaitRecord {
                name: "r-1".to_owned(),
                model: MODEL,
                arrived: at(0),
                since,
                outcome,
            };
            let explained = journal.explain(&record, &names(), now);
            assert_eq!(explained.outcome, word);
            assert_eq!(explained.waited, Duration::from_secs(waited), "{word}");
            assert_eq!(explained.error, expected_error, "{word}");
            let shown = (explained.request, explained.model, explained.arrived);
            assert_eq!(shown, ("r-1".to_owned(), "m".to_owned(), at(0)));
            assert_eq!(explained.meanwhile.len(), 1, "{word}");
        }
    }
}
