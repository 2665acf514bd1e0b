//! Files that have not been loaded before are tried in the engine before another model goes for them.

use crate::support::{answered_by, chat, decisions, model, three};

/// Counts the trials of a model.
fn trials(told: &str) -> usize {
    told.matches("has never been loaded").count()
}

#[test]
fn a_file_that_the_engine_refuses_costs_no_other_model_its_place() {
    for (failure, class) in [("bad-file", "bad_file"), ("assert", "assertion_failed")] {
        let section = format!("models.b.args = ['--fake-fail', '{failure}']");
        let paddock = three().config(&section).start();
        assert_eq!(answered_by(&paddock.ask(chat("a"))), "a");
        let before = model(&paddock, "a");
        for _ in 0..2 {
            let refused = paddock.ask(chat("b"));
            assert_eq!(refused.status, 503, "{refused:?}");
            assert_eq!(refused.field("x-paddock-error"), Some("load_failed"));
            assert_eq!(refused.json()["error"]["failure"]["class"], class);
        }
        let after = model(&paddock, "a");
        assert_eq!(after["status"], "ready");
        assert_eq!(after["pid"], before["pid"]);
        let told = decisions(&paddock, "b");
        assert_eq!(trials(&told), 1, "{told}");
        assert!(!told.contains("was started"), "{told}");
    }
}

#[test]
fn a_file_is_tried_once_and_where_there_is_room_not_at_all() {
    let paddock = three().start();
    for name in ["a", "b", "a", "b"] {
        assert_eq!(answered_by(&paddock.ask(chat(name))), name);
    }
    assert_eq!(trials(&decisions(&paddock, "a")), 0);
    assert_eq!(trials(&decisions(&paddock, "b")), 1);
}

#[test]
fn a_trial_that_fails_for_another_reason_proves_nothing() {
    let paddock = three()
        .config("models.b.args = ['--fake-fail', 'out-of-memory']")
        .start();
    assert_eq!(answered_by(&paddock.ask(chat("a"))), "a");
    assert_eq!(paddock.ask(chat("b")).status, 503);
    let told = decisions(&paddock, "b");
    assert_eq!(trials(&told), 1, "{told}");
    assert!(told.contains("was started"), "{told}");
}
