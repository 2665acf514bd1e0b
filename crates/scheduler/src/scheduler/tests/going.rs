use super::lab::{inspects, starts, stops};
use super::*;

fn kept(seconds: u64) -> ModelSpec {
    ModelSpec {
        keep_alive: Some(secs(seconds)),
        ..lab::SPEC
    }
}

#[test]
fn keep_alive_counts_from_the_last_use() {
    let mut lab = Lab::with(10, &[10], kept(60));
    lab.loaded(0);
    lab.pass(secs(50));
    assert!(lab.passes(0));
    lab.pass(secs(50));
    lab.release(0);
    lab.pass(secs(59));
    assert_eq!(lab.said(), []);
    lab.pass(secs(1));
    assert_eq!(lab.said(), [stops(0)]);
    lab.stopped(0);
    assert_eq!(lab.status(0), Status::Unloaded);
}

#[test]
fn an_observation_neither_loads_a_model_nor_keeps_it() {
    let mut lab = Lab::with(10, &[10], kept(60));
    assert!(!lab.observes(0));
    assert_eq!((lab.said(), lab.status(0)), (vec![], Status::Unloaded));
    lab.loaded(0);
    for _ in 0..59 {
        lab.pass(secs(1));
        assert!(lab.observes(0));
        lab.release_unused(0);
    }
    assert_eq!(lab.said(), []);
    assert!(lab.observes(0));
    lab.pass(secs(1));
    assert_eq!(lab.said(), [], "it is finished first");
    lab.release_unused(0);
    assert_eq!(
        lab.said(),
        [stops(0)],
        "and its model is idle since it was loaded"
    );
    assert!(!lab.observes(0));
}

#[test]
fn an_observation_passes_a_busy_model_and_one_that_is_wanted() {
    let mut lab = Lab::new(10, &[10]);
    lab.loaded(0);
    assert!(lab.passes(0) && lab.passes(0) && !lab.passes(0));
    lab.request(0);
    assert!(lab.observes(0), "it takes no slot");
    lab.play(Event::Unload { model: ModelId(0) });
    assert!(!lab.observes(0), "it is on its way out");
}

#[test]
fn a_stream_however_long_keeps_its_model() {
    let mut lab = Lab::with(10, &[10], kept(60));
    lab.loaded(0);
    assert!(lab.passes(0));
    lab.pass(secs(3600));
    assert_eq!(lab.said(), []);
}

#[test]
fn no_keep_alive_at_all_unloads_with_the_last_request() {
    let mut lab = Lab::with(10, &[10], kept(0));
    lab.request(0);
    lab.request(0);
    lab.inspected(0);
    lab.ready(0);
    lab.said();
    lab.release(0);
    assert_eq!(lab.said(), []);
    lab.release(0);
    assert_eq!(lab.said(), [stops(0)]);
}

#[test]
fn pinned_models_stay() {
    let spec = ModelSpec {
        pinned: true,
        ..kept(60)
    };
    let mut lab = Lab::with(10, &[5, 5, 5], spec);
    lab.loaded(0);
    lab.pass(secs(3600));
    assert_eq!(lab.said(), []);
    assert_eq!(lab.status(0), Status::Ready);
}

#[test]
fn unloading_finishes_what_is_in_flight_and_refuses_what_is_queued() {
    let mut lab = Lab::new(10, &[10]);
    for _ in 0..3 {
        lab.request(0);
    }
    lab.inspected(0);
    lab.ready(0);
    lab.said();
    lab.play(Event::Unload { model: ModelId(0) });
    assert_eq!(lab.refused(), [(3, Refusal::Draining)]);
    lab.request(0);
    assert_eq!(lab.refused(), [(4, Refusal::Draining)]);
    lab.pass(secs(600));
    assert_eq!(lab.said(), [], "for however long it takes");
    lab.release(0);
    lab.release(0);
    assert_eq!(lab.said(), [stops(0)]);
    lab.request(0);
    lab.stopped(0);
    assert_eq!(lab.said(), [inspects(0)], "it may be wanted again");
}

#[test]
fn a_changed_model_is_replaced_when_its_requests_have_ended() {
    let mut lab = Lab::new(10, &[10]);
    lab.loaded(0);
    lab.passes(0);
    lab.play(Event::Change {
        model: ModelId(0),
        spec: lab::SPEC,
        restart: true,
    });
    let id = lab.request(0);
    assert_eq!(lab.said(), []);
    lab.release(0);
    assert_eq!(lab.said(), [stops(0)]);
    lab.stopped(0);
    lab.inspected(0);
    assert_eq!(lab.said(), [inspects(0), starts(0)]);
    lab.ready(0);
    assert_eq!(lab.granted(), [id.0]);
}

#[test]
fn a_change_that_needs_no_restart_needs_none() {
    let mut lab = Lab::new(10, &[10]);
    lab.loaded(0);
    lab.play(Event::Change {
        model: ModelId(0),
        spec: kept(60),
        restart: false,
    });
    assert!(lab.passes(0));
    lab.release(0);
    lab.pass(secs(60));
    assert_eq!(lab.said(), [stops(0)]);
}

#[test]
fn a_removed_model_finishes_and_is_gone() {
    let mut lab = Lab::new(10, &[10]);
    lab.loaded(0);
    lab.passes(0);
    lab.play(Event::Remove { model: ModelId(0) });
    let id = lab.request(0);
    assert_eq!(lab.refused(), [(id.0, Refusal::Gone)]);
    lab.release(0);
    lab.stopped(0);
    assert_eq!(lab.said(), [stops(0)]);
    let id = lab.request(0);
    assert_eq!(lab.refused(), [(id.0, Refusal::Gone)]);
}

#[test]
fn a_shutdown_drains_until_its_deadline_and_cuts_what_is_left() {
    let mut lab = Lab::new(30, &[10, 10, 10]);
    lab.loaded(0);
    lab.loaded(1);
    lab.passes(1);
    lab.request(2);
    lab.said();
    lab.play(Event::Shutdown {
        deadline: lab.now + secs(30),
    });
    let said = lab.said();
    assert!(
        said.contains(&stops(0)) && !said.contains(&stops(1)),
        "{said:?}"
    );
    assert!(!lab.passes(0) && !lab.passes(1));
    let id = lab.request(0);
    assert_eq!(lab.refused(), [(id.0, Refusal::ShuttingDown)]);
    lab.stopped(0);
    lab.pass(secs(30));
    assert_eq!(lab.said(), [Action::Cut { model: ModelId(1) }, stops(1)]);
    assert!(!lab.scheduler.is_stopped());
    lab.stopped(1);
    assert!(lab.scheduler.is_stopped());
}
