//! Tests of the journal.

use super::*;
use paddock_supervisor::{ChildPhase, FailureClass};

const MODEL: ModelId = ModelId(0);

fn names() -> DisplayNames {
    DisplayNames {
        models: vec!["m".to_owned()],
        devices: Vec::new(),
    }
}

fn fails(journal: &mut Journal) {
    let by = WantedBy::Operator;
    journal.note(MODEL, Note::Wanted { by });
    let cause = Failure {
        class: FailureClass::BadFile,
        phase: ChildPhase::Spawn,
        exit: None,
        message: "there is no file".to_owned(),
        log_tail: Vec::new(),
    };
    journal.unloadable(MODEL, Arc::new(cause));
    journal.note(MODEL, Note::Failed { retry: None });
}

#[test]
fn refusals_for_one_reason_are_one_line_with_their_number() {
    let mut journal = Journal::default();
    fails(&mut journal);
    for number in 0..105 {
        let by = WantedBy::Request(paddock_scheduler::RequestId(number));
        journal.note(MODEL, Note::Wanted { by });
        journal.refused_again(MODEL);
    }
    let told = journal.entries(MODEL, &names());
    let what: Vec<_> = told.iter().map(|told| told.kind).collect();
    assert_eq!(what, ["wanted", "unloadable", "failed"]);
    assert!(told[1].message.contains("there is no file"));
    assert!(told[2].message.contains("refused so 105 more times"));
}

#[test]
fn the_last_cause_outlives_other_decisions() {
    let mut journal = Journal::default();
    fails(&mut journal);
    for _ in 0..2 * MAX_NOTES_PER_MODEL {
        journal.note(MODEL, Note::DrainCancelled);
    }
    let told = journal.entries(MODEL, &names());
    assert_eq!(told.len(), MAX_NOTES_PER_MODEL);
    assert_eq!(told[0].kind, "unloadable");
}
