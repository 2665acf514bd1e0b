//! Places that come free without a model's leaving: the line is told each time.

use super::lab::{inspects, prefetches, starts, stops};
use super::*;

/// Model 0 loads in the only place, and model 1 waits for it.
fn loading_and_waiting(spec: ModelSpec) -> (Lab, RequestId) {
    let mut lab = Lab::with(10, &[10, 10], spec);
    let id = lab.request(0);
    lab.inspected(0);
    lab.request(1);
    lab.inspected(1);
    assert_eq!(lab.said(), [inspects(0), starts(0), inspects(1)]);
    (lab, id)
}

#[test]
fn a_load_given_up_while_another_model_waits_makes_room_at_once() {
    let (mut lab, id) = loading_and_waiting(lab::SPEC);
    lab.play(Event::Cancel { id });
    assert_eq!(lab.said(), [stops(0), prefetches(1)]);
    lab.stopped(0);
    assert_eq!(lab.said(), [starts(1)]);
}

#[test]
fn a_load_given_up_by_one_of_two_goes_on() {
    let (mut lab, id) = loading_and_waiting(lab::SPEC);
    lab.request(0);
    lab.play(Event::Cancel { id });
    assert_eq!(lab.said(), []);
}

#[test]
fn a_load_that_the_operator_wants_too_goes_on_when_its_client_leaves() {
    let (mut lab, id) = loading_and_waiting(lab::SPEC);
    lab.play(Event::Load { model: ModelId(0) });
    lab.play(Event::Cancel { id });
    assert_eq!(lab.said(), []);
    lab.ready(0);
    lab.pass(secs(5));
    assert_eq!(lab.said(), [stops(0), prefetches(1)]);
}

#[test]
fn a_crash_of_a_model_that_nobody_uses_makes_room_for_the_one_that_waits() {
    let mut lab = Lab::new(10, &[10, 10]);
    lab.loaded(0);
    lab.request(1);
    lab.inspected(1);
    assert_eq!(lab.said(), [inspects(1)], "it was loaded a moment ago");
    lab.instance(0, InstanceIs::Again { at: lab.now });
    assert_eq!(lab.said(), [stops(0), prefetches(1)]);
}

#[test]
fn the_last_answer_of_a_child_that_still_loads_makes_room() {
    let spec = ModelSpec {
        admit: Admit::WhenListening,
        ..lab::SPEC
    };
    for waits_first in [true, false] {
        let mut lab = Lab::with(10, &[10, 10], spec);
        lab.request(0);
        lab.inspected(0);
        let listens = InstanceIs::Listening(Generation(1));
        if !waits_first {
            lab.instance(0, listens);
        }
        lab.request(1);
        lab.inspected(1);
        if waits_first {
            lab.instance(0, listens);
        }
        lab.said();
        lab.release(0);
        assert_eq!(lab.said(), [stops(0), prefetches(1)], "{waits_first}");
    }
}

#[test]
fn a_child_that_is_started_while_another_model_waits_tells_of_its_last_answer_too() {
    let spec = ModelSpec {
        admit: Admit::WhenListening,
        ..lab::SPEC
    };
    let mut lab = Lab::with(20, &[10, 10, 20], spec);
    lab.loaded(1);
    lab.passes(1);
    lab.pass(secs(10));
    lab.request(2);
    lab.inspected(2);
    lab.request(0);
    lab.inspected(0);
    lab.instance(0, InstanceIs::Listening(Generation(2)));
    lab.release(1);
    lab.said();
    lab.release(0);
    let said = lab.said();
    assert!(
        said.contains(&stops(0)) && said.contains(&stops(1)),
        "{said:?}"
    );
}

#[test]
fn a_place_that_was_promised_and_is_measured_away_is_waited_for_again() {
    // 2 is promised the place of 0; meanwhile 1 is seen to hold more. 3 could go.
    let mut lab = Lab::new(30, &[10, 10, 10, 10]);
    for model in [0, 1, 3] {
        lab.loaded(model);
    }
    lab.passes(1);
    lab.pass(secs(10));
    assert!(lab.passes(3));
    lab.release(3);
    lab.request(2);
    lab.inspected(2);
    assert_eq!(lab.said(), [inspects(2), stops(0), prefetches(2)]);
    lab.play(Event::Measured {
        model: ModelId(1),
        memory: mib(15),
    });
    assert_eq!(lab.said(), [stops(3), prefetches(2)]);
    lab.stopped(0);
    lab.stopped(3);
    assert_eq!(lab.said(), [starts(2)]);
}

#[test]
fn who_can_no_longer_have_room_is_told_when_the_budget_changes() {
    let mut lab = Lab::new(10, &[10, 10]);
    lab.loaded(0);
    lab.passes(0);
    let id = lab.request(1);
    lab.inspected(1);
    lab.said();
    lab.play(Event::Rules {
        policy: lab::POLICY,
        budget: Memory::budget(9 << 20, None),
    });
    let refused = lab.refused();
    assert!(
        matches!(refused[..], [(of, Refusal::DoesNotFit { .. })] if of == id.0),
        "{refused:?}"
    );
}
