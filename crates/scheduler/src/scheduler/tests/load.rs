//! Loads: one for many requests, failures, retries.

use super::harness::{inspects, starts, stops};
use super::*;

#[test]
fn a_hundred_first_requests_are_one_load() {
    let mut harness = Harness::new(100, &[10]);
    for _ in 0..100 {
        harness.request(0);
    }
    assert_eq!(harness.take_actions(), [inspects(0)]);
    harness.inspected(0);
    assert_eq!(harness.take_actions(), [starts(0)]);
    harness.ready(0);
    assert_eq!(harness.granted(), [1, 2]);
    for next in 3..=100 {
        harness.release(0);
        assert_eq!(harness.granted(), [next]);
    }
    assert!(!harness.passes(0), "two are in flight");
    harness.release(0);
    assert!(harness.passes(0), "nobody is queued: the fast path is open");
}

#[test]
fn what_cannot_be_loaded_is_refused_and_nothing_is_evicted() {
    let mut harness = Harness::new(10, &[10, 10]);
    harness.loaded(0);
    harness.pass(secs(60));
    harness.request(1);
    assert_eq!(harness.take_actions(), [inspects(1)]);
    harness.play(Event::Inspected {
        model: ModelId(1),
        demand: None,
    });
    assert_eq!(harness.refused(), [(2, Refusal::LoadFailed)]);
    assert_eq!(
        (harness.status(0), harness.status(1)),
        (ModelStatus::Ready, ModelStatus::Failed)
    );
    // The next request causes another inspection, because the files may have changed.
    harness.request(1);
    assert_eq!(harness.take_actions(), [inspects(1)]);
}

#[test]
fn a_model_that_nobody_wants_yet_is_failed_once_its_files_are_seen_to_be_unusable() {
    let mut harness = Harness::new(10, &[10, 10]);
    let unusable = |model| Event::Inspected {
        model: ModelId(model),
        demand: None,
    };
    harness.loaded(0);
    harness.play(unusable(0));
    harness.play(unusable(1));
    assert_eq!(
        (harness.status(0), harness.status(1)),
        (ModelStatus::Ready, ModelStatus::Failed)
    );
    harness.take_actions();
    harness.request(1);
    assert_eq!(harness.take_actions(), [inspects(1)]);
}

#[test]
fn what_can_never_fit_is_refused_with_both_numbers() {
    let mut harness = Harness::new(10, &[8, 11]);
    harness.loaded(0);
    harness.pass(secs(60));
    harness.request(1);
    harness.inspected(1);
    let refusal = Refusal::DoesNotFit {
        needs: mib(11),
        available: Memory::budget(10 << 20, None),
        pinned: false,
    };
    assert_eq!(harness.refused(), [(2, refusal)]);
    assert_eq!(
        (harness.status(0), harness.status(1)),
        (ModelStatus::Ready, ModelStatus::Unloaded)
    );
}

#[test]
fn what_is_pinned_counts_as_gone_for_good() {
    let mut harness = Harness::with(
        10,
        &[8, 5],
        ModelSpec {
            pinned: true,
            ..harness::SPEC
        },
    );
    harness.loaded(0);
    harness.request(1);
    harness.inspected(1);
    let refused = harness.refused();
    assert!(
        matches!(refused[..], [(2, Refusal::DoesNotFit { available, pinned: true, .. })] if available.host() == 2 << 20),
        "{refused:?}"
    );
}

#[test]
fn out_of_memory_costs_one_more_victim_and_is_tried_once_more() {
    let mut harness = Harness::new(100, &[10, 10, 10]);
    harness.loaded(0);
    harness.loaded(1);
    harness.passes(1);
    harness.pass(secs(10));
    let id = harness.request(2);
    harness.inspected(2);
    assert_eq!(harness.take_actions(), [inspects(2), starts(2)]);
    harness.instance(2, InstanceStatus::OutOfMemory);
    assert_eq!(
        harness.take_actions(),
        [stops(0), harness::prefetches(2)],
        "the idle one goes"
    );
    harness.stopped(0);
    assert_eq!(harness.take_actions(), [starts(2)]);
    assert_eq!(
        harness.scheduler.snapshot(ModelId(2)).unwrap().memory,
        mib(10)
    );
    harness.instance(2, InstanceStatus::OutOfMemory);
    let refused = harness.refused();
    assert!(
        matches!(refused[..], [(of, Refusal::OutOfMemory { needs, .. })] if of == id.0 && needs == mib(10)),
        "{refused:?}"
    );
    assert_eq!(harness.status(1), ModelStatus::Ready, "no third model pays");
    harness.request(2);
    assert_eq!(harness.refused().len(), 1, "not tried again at once");
    harness.pass(secs(15));
    harness.request(2);
    assert_eq!(harness.take_actions(), [inspects(2)]);
}

#[test]
fn out_of_memory_with_nobody_else_loaded_is_final() {
    let mut harness = Harness::new(100, &[10]);
    let id = harness.request(0);
    harness.inspected(0);
    harness.instance(0, InstanceStatus::OutOfMemory);
    assert!(matches!(harness.refused()[..], [(of, Refusal::OutOfMemory { .. })] if of == id.0));
}

#[test]
fn a_client_that_leaves_leaves_at_once_and_what_has_not_begun_does_not_begin() {
    let mut harness = Harness::new(10, &[10]);
    let id = harness.request(0);
    harness.play(Event::Cancel { id });
    assert_eq!(harness.queued(0), 0);
    harness.inspected(0);
    assert_eq!(harness.take_actions(), [inspects(0)], "it is not started");
    assert_eq!(harness.status(0), ModelStatus::Unloaded);
}

#[test]
fn a_load_that_has_begun_is_finished_unless_another_needs_the_room() {
    let mut harness = Harness::new(10, &[10, 10]);
    let id = harness.request(0);
    harness.inspected(0);
    harness.play(Event::Cancel { id });
    assert_eq!(harness.status(0), ModelStatus::Loading);
    harness.take_actions();
    harness.request(1);
    harness.inspected(1);
    assert_eq!(
        harness.take_actions(),
        [inspects(1), stops(0), harness::prefetches(1)]
    );
    harness.stopped(0);
    assert_eq!(harness.take_actions(), [starts(1)]);
}

#[test]
fn a_crash_keeps_its_place_and_its_queue() {
    let mut harness = Harness::new(10, &[10]);
    harness.loaded(0);
    harness.instance(0, InstanceStatus::Loading);
    assert!(!harness.passes(0));
    let id = harness.request(0);
    harness.ready(0);
    assert_eq!(harness.granted(), [id.0]);
    harness.instance(
        0,
        InstanceStatus::Failed {
            until: Some(harness.now + secs(60)),
        },
    );
    harness.release(0);
    assert_eq!(harness.status(0), ModelStatus::Failed);
    let id = harness.request(0);
    assert_eq!(harness.refused(), [(id.0, Refusal::LoadFailed)]);
    harness.pass(secs(60));
    harness.request(0);
    assert_eq!(harness.take_actions(), [inspects(0)]);
}

#[test]
fn what_is_always_wanted_is_tried_again_by_itself() {
    let spec = ModelSpec {
        keep_loaded: true,
        ..harness::SPEC
    };
    let mut harness = Harness::with(10, &[10], spec);
    harness.play(Event::Load { model: ModelId(0) });
    harness.inspected(0);
    harness.instance(
        0,
        InstanceStatus::Failed {
            until: Some(harness.now + secs(60)),
        },
    );
    harness.take_actions();
    harness.pass(secs(59));
    assert_eq!(harness.take_actions(), []);
    harness.pass(secs(1));
    assert_eq!(harness.take_actions(), [inspects(0)]);
}

#[test]
fn a_child_that_answers_while_it_loads_gets_requests_where_that_is_wanted() {
    let spec = ModelSpec {
        admit: Admission::WhenListening,
        ..harness::SPEC
    };
    let mut harness = Harness::with(10, &[10], spec);
    let id = harness.request(0);
    harness.inspected(0);
    harness.take_actions();
    harness.instance(0, InstanceStatus::Listening(Generation(1)));
    assert_eq!(harness.granted(), [id.0]);
    assert!(harness.passes(0));
}

#[test]
fn a_request_that_takes_no_slot_does_not_wait_for_one() {
    let mut harness = Harness::new(10, &[10]);
    for _ in 0..4 {
        harness.request(0);
    }
    harness.inspected(0);
    harness.ready(0);
    assert_eq!(harness.granted(), [1, 2]);
    harness.play(Event::Request {
        id: RequestId(99),
        model: ModelId(0),
        client: ClientId(1),
        takes_slot: false,
    });
    assert_eq!(harness.granted(), [99]);
}

#[test]
fn waiting_has_an_end() {
    let mut harness = Harness::new(10, &[10, 10]);
    harness.loaded(0);
    harness.passes(0);
    let loading = harness.request(1);
    harness.inspected(1);
    harness.take_actions();
    harness.pass(secs(30));
    assert_eq!(harness.status(0), ModelStatus::Draining);
    harness.pass(secs(269));
    assert_eq!(harness.take_actions(), [harness::prefetches(1)]);
    harness.pass(secs(1));
    assert_eq!(harness.refused(), [(loading.0, Refusal::NoRoom)]);
    assert_eq!(
        harness.status(0),
        ModelStatus::Ready,
        "nobody waits any more: it stays"
    );
    assert!(harness.passes(0));
}

#[test]
fn a_full_queue_is_said_to_be_full() {
    let mut harness = Harness::new(10, &[10]);
    for _ in 0..100 {
        harness.request(0);
    }
    harness.take_actions();
    let id = harness.request(0);
    assert_eq!(harness.refused(), [(id.0, Refusal::QueueFull)]);
}

#[test]
fn more_than_was_expected_sends_idle_models_away() {
    let mut harness = Harness::new(20, &[10, 10]);
    harness.loaded(0);
    harness.pass(secs(5));
    harness.loaded(1);
    harness.play(Event::Measured {
        model: ModelId(1),
        memory: mib(12),
    });
    assert_eq!(harness.take_actions(), [stops(0)]);
}

#[test]
fn the_wait_for_another_try_is_no_part_of_the_load() {
    let mut harness = Harness::new(100, &[60]);
    harness.loaded(0);
    let begins = harness.now + secs(30);
    harness.instance(0, InstanceStatus::Restarting { at: begins });
    harness.pass(secs(30));
    harness.instance(0, InstanceStatus::Loading);
    harness.pass(secs(4));
    harness.ready(0);
    let look = harness.scheduler.snapshot(ModelId(0)).unwrap();
    assert_eq!(look.load, secs(4));
}
