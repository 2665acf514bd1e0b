//! Memory that becomes available although no model leaves: the line is served each time.

use super::harness::{inspects, prefetches, starts, stops};
use super::*;

/// Model 0 loads in the only place, and model 1 waits for it.
fn loading_and_waiting(spec: ModelSpec) -> (Harness, RequestId) {
    let mut harness = Harness::with(10, &[10, 10], spec);
    let id = harness.request(0);
    harness.inspected(0);
    harness.request(1);
    harness.inspected(1);
    assert_eq!(
        harness.take_actions(),
        [inspects(0), starts(0), inspects(1)]
    );
    (harness, id)
}

#[test]
fn a_load_given_up_while_another_model_waits_makes_room_at_once() {
    let (mut harness, id) = loading_and_waiting(harness::SPEC);
    harness.play(Event::Cancel { id });
    assert_eq!(harness.take_actions(), [stops(0), prefetches(1)]);
    harness.stopped(0);
    assert_eq!(harness.take_actions(), [starts(1)]);
}

#[test]
fn a_load_given_up_by_one_of_two_goes_on() {
    let (mut harness, id) = loading_and_waiting(harness::SPEC);
    harness.request(0);
    harness.play(Event::Cancel { id });
    assert_eq!(harness.take_actions(), []);
}

#[test]
fn a_load_that_the_operator_wants_too_goes_on_when_its_client_leaves() {
    let (mut harness, id) = loading_and_waiting(harness::SPEC);
    harness.play(Event::Load { model: ModelId(0) });
    harness.play(Event::Cancel { id });
    assert_eq!(harness.take_actions(), []);
    harness.ready(0);
    harness.pass(secs(5));
    assert_eq!(harness.take_actions(), [stops(0), prefetches(1)]);
}

#[test]
fn a_crash_of_a_model_that_nobody_uses_makes_room_for_the_one_that_waits() {
    let mut harness = Harness::new(10, &[10, 10]);
    harness.loaded(0);
    harness.request(1);
    harness.inspected(1);
    assert_eq!(
        harness.take_actions(),
        [inspects(1)],
        "it was loaded a moment ago"
    );
    harness.instance(0, InstanceStatus::Restarting { at: harness.now });
    assert_eq!(harness.take_actions(), [stops(0), prefetches(1)]);
}

#[test]
fn the_last_answer_of_a_child_that_still_loads_makes_room() {
    let spec = ModelSpec {
        admit: Admission::WhenListening,
        ..harness::SPEC
    };
    for waits_first in [true, false] {
        let mut harness = Harness::with(10, &[10, 10], spec);
        harness.request(0);
        harness.inspected(0);
        let listens = InstanceStatus::Listening(Generation(1));
        if !waits_first {
            harness.instance(0, listens);
        }
        harness.request(1);
        harness.inspected(1);
        if waits_first {
            harness.instance(0, listens);
        }
        harness.take_actions();
        harness.release(0);
        assert_eq!(
            harness.take_actions(),
            [stops(0), prefetches(1)],
            "{waits_first}"
        );
    }
}

#[test]
fn a_child_that_is_started_while_another_model_waits_tells_of_its_last_answer_too() {
    let spec = ModelSpec {
        admit: Admission::WhenListening,
        ..harness::SPEC
    };
    let mut harness = Harness::with(20, &[10, 10, 20], spec);
    harness.loaded(1);
    harness.passes(1);
    harness.pass(secs(10));
    harness.request(2);
    harness.inspected(2);
    harness.request(0);
    harness.inspected(0);
    harness.instance(0, InstanceStatus::Listening(Generation(2)));
    harness.release(1);
    harness.take_actions();
    harness.release(0);
    let actions = harness.take_actions();
    assert!(
        actions.contains(&stops(0)) && actions.contains(&stops(1)),
        "{actions:?}"
    );
}

#[test]
fn a_place_that_was_promised_and_is_measured_away_is_waited_for_again() {
    // Model 2 has a claim on the memory of 0; meanwhile 1 is measured to hold more. 3 could be evicted.
    let mut harness = Harness::new(30, &[10, 10, 10, 10]);
    for model in [0, 1, 3] {
        harness.loaded(model);
    }
    harness.passes(1);
    harness.pass(secs(10));
    assert!(harness.passes(3));
    harness.release(3);
    harness.request(2);
    harness.inspected(2);
    assert_eq!(
        harness.take_actions(),
        [inspects(2), stops(0), prefetches(2)]
    );
    harness.play(Event::Measured {
        model: ModelId(1),
        memory: mib(15),
    });
    assert_eq!(harness.take_actions(), [stops(3), prefetches(2)]);
    harness.stopped(0);
    harness.stopped(3);
    assert_eq!(harness.take_actions(), [starts(2)]);
}

#[test]
fn who_can_no_longer_have_room_is_told_when_the_budget_changes() {
    let mut harness = Harness::new(10, &[10, 10]);
    harness.loaded(0);
    harness.passes(0);
    let id = harness.request(1);
    harness.inspected(1);
    harness.take_actions();
    harness.play(Event::Rules {
        policy: harness::POLICY,
        budget: Memory::budget(9 << 20, None),
    });
    let refused = harness.refused();
    assert!(
        matches!(refused[..], [(of, Refusal::DoesNotFit { .. })] if of == id.0),
        "{refused:?}"
    );
}
