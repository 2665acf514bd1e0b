//! Unloads: keep-alive, operator, configuration changes, shutdown.

use super::harness::{inspects, starts, stops};
use super::*;

fn kept(seconds: u64) -> ModelSpec {
    ModelSpec {
        keep_alive: Some(secs(seconds)),
        ..harness::SPEC
    }
}

#[test]
fn keep_alive_counts_from_the_last_use() {
    let mut harness = Harness::with(10, &[10], kept(60));
    harness.loaded(0);
    harness.pass(secs(50));
    assert!(harness.passes(0));
    harness.pass(secs(50));
    harness.release(0);
    harness.pass(secs(59));
    assert_eq!(harness.take_actions(), []);
    harness.pass(secs(1));
    assert_eq!(harness.take_actions(), [stops(0)]);
    harness.stopped(0);
    assert_eq!(harness.status(0), ModelStatus::Unloaded);
}

#[test]
fn an_observation_neither_loads_a_model_nor_keeps_it() {
    let mut harness = Harness::with(10, &[10], kept(60));
    assert!(!harness.observes(0));
    assert_eq!(
        (harness.take_actions(), harness.status(0)),
        (vec![], ModelStatus::Unloaded)
    );
    harness.loaded(0);
    for _ in 0..59 {
        harness.pass(secs(1));
        assert!(harness.observes(0));
        harness.release_unused(0);
    }
    assert_eq!(harness.take_actions(), []);
    assert!(harness.observes(0));
    harness.pass(secs(1));
    assert_eq!(harness.take_actions(), [], "it is finished first");
    harness.release_unused(0);
    assert_eq!(
        harness.take_actions(),
        [stops(0)],
        "and its model is idle since it was loaded"
    );
    assert!(!harness.observes(0));
}

#[test]
fn an_observation_passes_a_busy_model_and_one_that_is_wanted() {
    let mut harness = Harness::new(10, &[10]);
    harness.loaded(0);
    assert!(harness.passes(0) && harness.passes(0) && !harness.passes(0));
    harness.request(0);
    assert!(harness.observes(0), "it takes no slot");
    harness.play(Event::Unload { model: ModelId(0) });
    assert!(!harness.observes(0), "it is on its way out");
}

#[test]
fn a_stream_however_long_keeps_its_model() {
    let mut harness = Harness::with(10, &[10], kept(60));
    harness.loaded(0);
    assert!(harness.passes(0));
    harness.pass(secs(3600));
    assert_eq!(harness.take_actions(), []);
}

#[test]
fn no_keep_alive_at_all_unloads_with_the_last_request() {
    let mut harness = Harness::with(10, &[10], kept(0));
    harness.request(0);
    harness.request(0);
    harness.inspected(0);
    harness.ready(0);
    harness.take_actions();
    harness.release(0);
    assert_eq!(harness.take_actions(), []);
    harness.release(0);
    assert_eq!(harness.take_actions(), [stops(0)]);
}

#[test]
fn pinned_models_stay() {
    let spec = ModelSpec {
        pinned: true,
        ..kept(60)
    };
    let mut harness = Harness::with(10, &[5, 5, 5], spec);
    harness.loaded(0);
    harness.pass(secs(3600));
    assert_eq!(harness.take_actions(), []);
    assert_eq!(harness.status(0), ModelStatus::Ready);
}

#[test]
fn unloading_finishes_what_is_in_flight_and_refuses_what_is_queued() {
    let mut harness = Harness::new(10, &[10]);
    for _ in 0..3 {
        harness.request(0);
    }
    harness.inspected(0);
    harness.ready(0);
    harness.take_actions();
    harness.play(Event::Unload { model: ModelId(0) });
    assert_eq!(harness.refused(), [(3, Refusal::Draining)]);
    harness.request(0);
    assert_eq!(harness.refused(), [(4, Refusal::Draining)]);
    harness.pass(secs(600));
    assert_eq!(harness.take_actions(), [], "for however long it takes");
    harness.release(0);
    harness.release(0);
    assert_eq!(harness.take_actions(), [stops(0)]);
    harness.request(0);
    harness.stopped(0);
    assert_eq!(
        harness.take_actions(),
        [inspects(0)],
        "it may be wanted again"
    );
}

#[test]
fn a_changed_model_is_replaced_when_its_requests_have_ended() {
    let mut harness = Harness::new(10, &[10]);
    harness.loaded(0);
    harness.passes(0);
    harness.play(Event::Change {
        model: ModelId(0),
        spec: harness::SPEC,
        restart: true,
    });
    let id = harness.request(0);
    assert_eq!(harness.take_actions(), []);
    harness.release(0);
    assert_eq!(harness.take_actions(), [stops(0)]);
    harness.stopped(0);
    harness.inspected(0);
    assert_eq!(harness.take_actions(), [inspects(0), starts(0)]);
    harness.ready(0);
    assert_eq!(harness.granted(), [id.0]);
}

#[test]
fn a_change_that_needs_no_restart_needs_none() {
    let mut harness = Harness::new(10, &[10]);
    harness.loaded(0);
    harness.play(Event::Change {
        model: ModelId(0),
        spec: kept(60),
        restart: false,
    });
    assert!(harness.passes(0));
    harness.release(0);
    harness.pass(secs(60));
    assert_eq!(harness.take_actions(), [stops(0)]);
}

#[test]
fn a_removed_model_finishes_and_is_gone() {
    let mut harness = Harness::new(10, &[10]);
    harness.loaded(0);
    harness.passes(0);
    harness.play(Event::Remove { model: ModelId(0) });
    let id = harness.request(0);
    assert_eq!(harness.refused(), [(id.0, Refusal::Removed)]);
    harness.release(0);
    harness.stopped(0);
    assert_eq!(harness.take_actions(), [stops(0)]);
    let id = harness.request(0);
    assert_eq!(harness.refused(), [(id.0, Refusal::Removed)]);
}

#[test]
fn a_shutdown_drains_until_its_deadline_and_cuts_what_is_left() {
    let mut harness = Harness::new(30, &[10, 10, 10]);
    harness.loaded(0);
    harness.loaded(1);
    harness.passes(1);
    harness.request(2);
    harness.take_actions();
    harness.play(Event::Shutdown {
        deadline: harness.now + secs(30),
    });
    let actions = harness.take_actions();
    assert!(
        actions.contains(&stops(0)) && !actions.contains(&stops(1)),
        "{actions:?}"
    );
    assert!(!harness.passes(0) && !harness.passes(1));
    let id = harness.request(0);
    assert_eq!(harness.refused(), [(id.0, Refusal::ShuttingDown)]);
    harness.stopped(0);
    harness.pass(secs(30));
    assert_eq!(
        harness.take_actions(),
        [Action::Cut { model: ModelId(1) }, stops(1)]
    );
    assert!(!harness.scheduler.is_stopped());
    harness.stopped(1);
    assert!(harness.scheduler.is_stopped());
}
