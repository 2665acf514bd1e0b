//! Tests of the journal.

use super::*;
use crate::fixture::failure;
use paddock_scheduler::{RequestId, WantedBy};
use paddock_supervisor::FailureClass;
use std::time::{Duration, UNIX_EPOCH};
use tokio::time::Instant;

const MODEL: ModelId = ModelId(0);

fn names() -> DisplayNames {
    DisplayNames {
        models: vec!["m".to_owned()],
        devices: Vec::new(),
    }
}

fn wanted(number: u64) -> JournalEvent {
    let by = WantedBy::Request(RequestId(number));
    JournalEvent::Decided(Note::Wanted { by })
}

fn record_failure(journal: &mut Journal) {
    journal.record(MODEL, wanted(0));
    let cause = failure(FailureClass::BadFile, "there is no file");
    journal.record(MODEL, JournalEvent::Unloadable(cause));
    journal.record(MODEL, JournalEvent::Decided(Note::Failed { retry: None }));
}

fn kinds(journal: &Journal) -> Vec<&'static str> {
    let entries = journal.entries(MODEL, &names());
    entries.iter().map(|entry| entry.kind).collect()
}

#[test]
fn refusals_for_one_reason_are_one_line_with_their_number() {
    let mut journal = Journal::default();
    record_failure(&mut journal);
    let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
    for number in 0..105 {
        journal.record(MODEL, wanted(number));
        journal.refused_again_at(MODEL, at(number));
    }
    assert_eq!(kinds(&journal), ["wanted", "unloadable", "failed"]);
    let entries = journal.entries(MODEL, &names());
    assert!(entries[1].message.contains("there is no file"));
    let end = "refused 105 more times for the same reason, last at 00:01:44 UTC";
    assert!(entries[2].message.ends_with(end), "{}", entries[2].message);
}

#[test]
fn another_refusal_counts_for_the_last_one_only() {
    let mut journal = Journal::default();
    // Without an earlier refusal there is nothing to count.
    journal.record(MODEL, wanted(0));
    journal.refused_again(MODEL);
    assert_eq!(kinds(&journal), ["wanted"]);
    let too_large = Note::DoesNotFit {
        needs: paddock_scheduler::Memory::needed(2),
        available: paddock_scheduler::Memory::needed(1),
        pinned: Vec::new(),
    };
    for note in [Note::Failed { retry: None }, too_large, Note::Abandoned] {
        journal.record(MODEL, JournalEvent::Decided(note));
    }
    journal.refused_again(MODEL);
    let expected = ["wanted", "failed", "does_not_fit", "abandoned"];
    assert_eq!(
        kinds(&journal),
        expected,
        "the demand came before the refusal"
    );
    let entries = journal.entries(MODEL, &names());
    let counted = entries
        .iter()
        .map(|entry| entry.message.contains("once more"));
    assert_eq!(counted.collect::<Vec<_>>(), [false, false, true, false]);
}

#[test]
fn the_last_cause_outlives_other_decisions() {
    let mut journal = Journal::default();
    record_failure(&mut journal);
    for _ in 0..2 * MAX_NOTES_PER_MODEL {
        journal.record(MODEL, JournalEvent::Decided(Note::DrainCancelled));
    }
    let entries = journal.entries(MODEL, &names());
    assert_eq!(entries.len(), MAX_NOTES_PER_MODEL);
    assert_eq!(entries[0].kind, "unloadable");
    // A newer cause replaces it.
    let crash = failure(FailureClass::Crashed, "it crashed");
    journal.record(MODEL, JournalEvent::Unloadable(crash));
    journal.record(MODEL, JournalEvent::Decided(Note::DrainCancelled));
    let entries = journal.entries(MODEL, &names());
    assert_eq!(entries.len(), MAX_NOTES_PER_MODEL);
    let causes = entries.iter().filter(|entry| entry.kind == "unloadable");
    assert_eq!(causes.count(), 1);
    assert!(journal.entries(ModelId(1), &names()).is_empty());
}

#[test]
fn the_newest_requests_are_kept_and_found_by_name() {
    let mut journal = Journal::default();
    let record = |name: &str, seconds| WaitRecord {
        name: name.to_owned(),
        model: MODEL,
        arrived: UNIX_EPOCH + Duration::from_secs(seconds),
        since: Instant::now(),
        outcome: None,
    };
    journal.record_wait(record("first", 1));
    journal.record_wait(record("twice", 2));
    journal.record_wait(record("twice", 3));
    let arrived = |journal: &Journal, name| {
        let record = journal.request(name)?;
        record.arrived.duration_since(UNIX_EPOCH).ok()
    };
    assert_eq!(arrived(&journal, "twice"), Some(Duration::from_secs(3)));
    assert_eq!(arrived(&journal, "first"), Some(Duration::from_secs(1)));
    assert_eq!(arrived(&journal, "none"), None);
    for _ in 0..MAX_REQUESTS - 2 {
        journal.record_wait(record("other", 4));
    }
    assert_eq!(arrived(&journal, "first"), None);
    assert_eq!(arrived(&journal, "twice"), Some(Duration::from_secs(3)));
    assert_eq!(journal.requests.len(), MAX_REQUESTS);
}
