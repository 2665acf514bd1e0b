//! Files that nobody has seen loaded cost no other model its place before the engine has tried them.

use super::lab::{inspects, prefetches, starts, stops};
use super::*;

const TRIES: Action = Action::Try { model: ModelId(1) };

/// Model 0 is idle in the only place, and model 1 is asked for.
fn lab() -> Lab {
    let mut lab = Lab::new(10, &[10, 10]);
    lab.loaded(0);
    lab.pass(secs(60));
    lab.request(1);
    assert_eq!(lab.said(), [inspects(1)]);
    lab
}

fn inspected(lab: &mut Lab, is_proven: bool) {
    let demand = Demand {
        memory: mib(10),
        load: secs(2),
        is_proven,
    };
    lab.play(Event::Inspected {
        model: ModelId(1),
        demand: Some(demand),
    });
}

#[test]
fn a_file_that_fails_its_trial_evicts_nobody() {
    let mut lab = lab();
    inspected(&mut lab, false);
    assert_eq!(lab.said(), [TRIES]);
    assert_eq!(lab.status(1), Status::Waiting);
    lab.play(Event::Inspected {
        model: ModelId(1),
        demand: None,
    });
    assert_eq!(lab.refused(), [(2, Refusal::LoadFailed)]);
    assert_eq!(
        (lab.status(0), lab.status(1)),
        (Status::Ready, Status::Failed)
    );
}

#[test]
fn a_file_that_passes_its_trial_gets_its_place() {
    let mut lab = lab();
    inspected(&mut lab, false);
    inspected(&mut lab, true);
    assert_eq!(lab.said(), [TRIES, stops(0), prefetches(1)]);
    lab.stopped(0);
    assert_eq!(lab.said(), [starts(1)]);
}

#[test]
fn a_file_that_was_loaded_before_is_not_tried() {
    let mut lab = lab();
    inspected(&mut lab, true);
    assert_eq!(lab.said(), [stops(0), prefetches(1)]);
}

#[test]
fn where_there_is_room_the_load_itself_is_the_trial() {
    let mut lab = Lab::new(20, &[10, 10]);
    lab.loaded(0);
    lab.request(1);
    inspected(&mut lab, false);
    assert_eq!(lab.said(), [inspects(1), starts(1)]);
}

#[test]
fn a_file_that_could_never_have_room_is_not_tried() {
    let mut lab = Lab::new(9, &[9, 10]);
    lab.request(1);
    inspected(&mut lab, false);
    assert!(matches!(
        lab.refused()[..],
        [(1, Refusal::DoesNotFit { .. })]
    ));
}

#[test]
fn a_trial_goes_on_at_once_while_the_other_model_is_busy_and_keeps_its_turn() {
    let mut lab = Lab::new(10, &[10, 10]);
    lab.loaded(0);
    assert!(lab.passes(0));
    lab.request(1);
    inspected(&mut lab, false);
    assert_eq!(lab.said(), [inspects(1), TRIES]);
    lab.pass(secs(3));
    inspected(&mut lab, true);
    lab.pass(secs(26));
    assert_eq!(lab.said(), []);
    lab.pass(secs(1));
    assert_eq!(
        lab.status(0),
        Status::Draining,
        "30 s after it was asked for"
    );
}

#[test]
fn a_model_that_is_given_up_during_its_trial_is_not_loaded() {
    let mut lab = lab();
    inspected(&mut lab, false);
    lab.play(Event::Cancel { id: RequestId(2) });
    inspected(&mut lab, true);
    assert_eq!(lab.said(), [TRIES]);
    assert_eq!(lab.status(1), Status::Unloaded);
}
