//! Trials: no model is evicted for files that the engine has never loaded, before it has tried them.

use super::harness::{inspects, prefetches, starts, stops};
use super::*;

const TRIES: Action = Action::Try { model: ModelId(1) };

/// Makes a scheduler in which model 0 is idle in the only place, and model 1 is requested.
fn harness() -> Harness {
    let mut harness = Harness::new(10, &[10, 10]);
    harness.loaded(0);
    harness.pass(secs(60));
    harness.request(1);
    assert_eq!(harness.take_actions(), [inspects(1)]);
    harness
}

fn inspected(harness: &mut Harness, is_proven: bool) {
    let demand = Demand {
        memory: mib(10),
        load: secs(2),
        is_proven,
    };
    harness.play(Event::Inspected {
        model: ModelId(1),
        demand: Some(demand),
    });
}

#[test]
fn a_file_that_fails_its_trial_evicts_nobody() {
    let mut harness = harness();
    inspected(&mut harness, false);
    assert_eq!(harness.take_actions(), [TRIES]);
    assert_eq!(harness.status(1), ModelStatus::Waiting);
    harness.play(Event::Inspected {
        model: ModelId(1),
        demand: None,
    });
    assert_eq!(harness.refused(), [(2, Refusal::LoadFailed)]);
    assert_eq!(
        (harness.status(0), harness.status(1)),
        (ModelStatus::Ready, ModelStatus::Failed)
    );
}

#[test]
fn a_file_that_passes_its_trial_gets_its_place() {
    let mut harness = harness();
    inspected(&mut harness, false);
    inspected(&mut harness, true);
    assert_eq!(harness.take_actions(), [TRIES, stops(0), prefetches(1)]);
    harness.stopped(0);
    assert_eq!(harness.take_actions(), [starts(1)]);
}

#[test]
fn a_file_that_was_loaded_before_is_not_tried() {
    let mut harness = harness();
    inspected(&mut harness, true);
    assert_eq!(harness.take_actions(), [stops(0), prefetches(1)]);
}

#[test]
fn where_there_is_room_the_load_itself_is_the_trial() {
    let mut harness = Harness::new(20, &[10, 10]);
    harness.loaded(0);
    harness.request(1);
    inspected(&mut harness, false);
    assert_eq!(harness.take_actions(), [inspects(1), starts(1)]);
}

#[test]
fn a_file_that_could_never_have_room_is_not_tried() {
    let mut harness = Harness::new(9, &[9, 10]);
    harness.request(1);
    inspected(&mut harness, false);
    assert!(matches!(
        harness.refused()[..],
        [(1, Refusal::DoesNotFit { .. })]
    ));
}

#[test]
fn a_trial_goes_on_at_once_while_the_other_model_is_busy_and_keeps_its_turn() {
    let mut harness = Harness::new(10, &[10, 10]);
    harness.loaded(0);
    assert!(harness.passes(0));
    harness.request(1);
    inspected(&mut harness, false);
    assert_eq!(harness.take_actions(), [inspects(1), TRIES]);
    harness.pass(secs(3));
    inspected(&mut harness, true);
    harness.pass(secs(26));
    assert_eq!(harness.take_actions(), []);
    harness.pass(secs(1));
    assert_eq!(
        harness.status(0),
        ModelStatus::Draining,
        "30 s after it was asked for"
    );
}

#[test]
fn a_model_that_is_given_up_during_its_trial_is_not_loaded() {
    let mut harness = harness();
    inspected(&mut harness, false);
    harness.play(Event::Cancel { id: RequestId(2) });
    inspected(&mut harness, true);
    assert_eq!(harness.take_actions(), [TRIES]);
    assert_eq!(harness.status(1), ModelStatus::Unloaded);
}
