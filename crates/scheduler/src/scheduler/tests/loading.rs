use super::lab::{inspects, starts, stops};
use super::*;

#[test]
fn a_hundred_first_requests_are_one_load() {
    let mut lab = Lab::new(100, &[10]);
    for _ in 0..100 {
        lab.request(0);
    }
    assert_eq!(lab.said(), [inspects(0)]);
    lab.inspected(0);
    assert_eq!(lab.said(), [starts(0)]);
    lab.ready(0);
    assert_eq!(lab.granted(), [1, 2]);
    for next in 3..=100 {
        lab.release(0);
        assert_eq!(lab.granted(), [next]);
    }
    assert!(!lab.passes(0), "two are in flight");
    lab.release(0);
    assert!(lab.passes(0), "nobody is queued: the fast path is open");
}

#[test]
fn what_cannot_be_loaded_is_refused_and_nothing_is_evicted() {
    let mut lab = Lab::new(10, &[10, 10]);
    lab.loaded(0);
    lab.pass(secs(60));
    lab.request(1);
    assert_eq!(lab.said(), [inspects(1)]);
    lab.play(Event::Inspected {
        model: ModelId(1),
        demand: None,
    });
    assert_eq!(lab.refused(), [(2, Refusal::LoadFailed)]);
    assert_eq!(
        (lab.status(0), lab.status(1)),
        (Status::Ready, Status::Failed)
    );
    // The next request has its files looked at again: they may be others by now.
    lab.request(1);
    assert_eq!(lab.said(), [inspects(1)]);
}

#[test]
fn a_model_that_nobody_wants_yet_is_failed_once_its_files_are_seen_to_be_unusable() {
    let mut lab = Lab::new(10, &[10, 10]);
    let unusable = |model| Event::Inspected {
        model: ModelId(model),
        demand: None,
    };
    lab.loaded(0);
    lab.play(unusable(0));
    lab.play(unusable(1));
    assert_eq!(
        (lab.status(0), lab.status(1)),
        (Status::Ready, Status::Failed)
    );
    lab.said();
    lab.request(1);
    assert_eq!(lab.said(), [inspects(1)]);
}

#[test]
fn what_can_never_fit_is_refused_with_both_numbers() {
    let mut lab = Lab::new(10, &[8, 11]);
    lab.loaded(0);
    lab.pass(secs(60));
    lab.request(1);
    lab.inspected(1);
    let refusal = Refusal::DoesNotFit {
        needs: mib(11),
        available: Memory::budget(10 << 20, None),
        pinned: false,
    };
    assert_eq!(lab.refused(), [(2, refusal)]);
    assert_eq!(
        (lab.status(0), lab.status(1)),
        (Status::Ready, Status::Unloaded)
    );
}

#[test]
fn what_is_pinned_counts_as_gone_for_good() {
    let mut lab = Lab::with(
        10,
        &[8, 5],
        ModelSpec {
            pinned: true,
            ..lab::SPEC
        },
    );
    lab.loaded(0);
    lab.request(1);
    lab.inspected(1);
    let refused = lab.refused();
    assert!(
        matches!(refused[..], [(2, Refusal::DoesNotFit { available, pinned: true, .. })] if available.host() == 2 << 20),
        "{refused:?}"
    );
}

#[test]
fn out_of_memory_costs_one_more_victim_and_is_tried_once_more() {
    let mut lab = Lab::new(100, &[10, 10, 10]);
    lab.loaded(0);
    lab.loaded(1);
    lab.passes(1);
    lab.pass(secs(10));
    let id = lab.request(2);
    lab.inspected(2);
    assert_eq!(lab.said(), [inspects(2), starts(2)]);
    lab.instance(2, InstanceIs::OutOfMemory);
    assert_eq!(
        lab.said(),
        [stops(0), lab::prefetches(2)],
        "the idle one goes"
    );
    lab.stopped(0);
    assert_eq!(lab.said(), [starts(2)]);
    assert_eq!(lab.scheduler.look(ModelId(2)).unwrap().holds, mib(10));
    lab.instance(2, InstanceIs::OutOfMemory);
    let refused = lab.refused();
    assert!(
        matches!(refused[..], [(of, Refusal::RanOut { needs, .. })] if of == id.0 && needs == mib(10)),
        "{refused:?}"
    );
    assert_eq!(lab.status(1), Status::Ready, "no third model pays");
    lab.request(2);
    assert_eq!(lab.refused().len(), 1, "not tried again at once");
    lab.pass(secs(15));
    lab.request(2);
    assert_eq!(lab.said(), [inspects(2)]);
}

#[test]
fn out_of_memory_with_nobody_else_loaded_is_final() {
    let mut lab = Lab::new(100, &[10]);
    let id = lab.request(0);
    lab.inspected(0);
    lab.instance(0, InstanceIs::OutOfMemory);
    assert!(matches!(lab.refused()[..], [(of, Refusal::RanOut { .. })] if of == id.0));
}

#[test]
fn a_client_that_leaves_leaves_at_once_and_what_has_not_begun_does_not_begin() {
    let mut lab = Lab::new(10, &[10]);
    let id = lab.request(0);
    lab.play(Event::Cancel { id });
    assert_eq!(lab.queued(0), 0);
    lab.inspected(0);
    assert_eq!(lab.said(), [inspects(0)], "it is not started");
    assert_eq!(lab.status(0), Status::Unloaded);
}

#[test]
fn a_load_that_has_begun_is_finished_unless_another_needs_the_room() {
    let mut lab = Lab::new(10, &[10, 10]);
    let id = lab.request(0);
    lab.inspected(0);
    lab.play(Event::Cancel { id });
    assert_eq!(lab.status(0), Status::Loading);
    lab.said();
    lab.request(1);
    lab.inspected(1);
    assert_eq!(lab.said(), [inspects(1), stops(0), lab::prefetches(1)]);
    lab.stopped(0);
    assert_eq!(lab.said(), [starts(1)]);
}

#[test]
fn a_crash_keeps_its_place_and_its_queue() {
    let mut lab = Lab::new(10, &[10]);
    lab.loaded(0);
    lab.instance(0, InstanceIs::Loading);
    assert!(!lab.passes(0));
    let id = lab.request(0);
    lab.ready(0);
    assert_eq!(lab.granted(), [id.0]);
    lab.instance(
        0,
        InstanceIs::Failed {
            until: Some(lab.now + secs(60)),
        },
    );
    lab.release(0);
    assert_eq!(lab.status(0), Status::Failed);
    let id = lab.request(0);
    assert_eq!(lab.refused(), [(id.0, Refusal::LoadFailed)]);
    lab.pass(secs(60));
    lab.request(0);
    assert_eq!(lab.said(), [inspects(0)]);
}

#[test]
fn what_is_always_wanted_is_tried_again_by_itself() {
    let spec = ModelSpec {
        always: true,
        ..lab::SPEC
    };
    let mut lab = Lab::with(10, &[10], spec);
    lab.play(Event::Load { model: ModelId(0) });
    lab.inspected(0);
    lab.instance(
        0,
        InstanceIs::Failed {
            until: Some(lab.now + secs(60)),
        },
    );
    lab.said();
    lab.pass(secs(59));
    assert_eq!(lab.said(), []);
    lab.pass(secs(1));
    assert_eq!(lab.said(), [inspects(0)]);
}

#[test]
fn a_child_that_answers_while_it_loads_gets_requests_where_that_is_wanted() {
    let spec = ModelSpec {
        admit: Admit::WhenListening,
        ..lab::SPEC
    };
    let mut lab = Lab::with(10, &[10], spec);
    let id = lab.request(0);
    lab.inspected(0);
    lab.said();
    lab.instance(0, InstanceIs::Listening(Generation(1)));
    assert_eq!(lab.granted(), [id.0]);
    assert!(lab.passes(0));
}

#[test]
fn a_request_that_takes_no_slot_does_not_wait_for_one() {
    let mut lab = Lab::new(10, &[10]);
    for _ in 0..4 {
        lab.request(0);
    }
    lab.inspected(0);
    lab.ready(0);
    assert_eq!(lab.granted(), [1, 2]);
    lab.play(Event::Request {
        id: RequestId(99),
        model: ModelId(0),
        client: ClientId(1),
        takes_slot: false,
    });
    assert_eq!(lab.granted(), [99]);
}

#[test]
fn waiting_has_an_end() {
    let mut lab = Lab::new(10, &[10, 10]);
    lab.loaded(0);
    lab.passes(0);
    let loading = lab.request(1);
    lab.inspected(1);
    lab.said();
    lab.pass(secs(30));
    assert_eq!(lab.status(0), Status::Draining);
    lab.pass(secs(269));
    assert_eq!(lab.said(), [lab::prefetches(1)]);
    lab.pass(secs(1));
    assert_eq!(lab.refused(), [(loading.0, Refusal::NoRoom)]);
    assert_eq!(
        lab.status(0),
        Status::Ready,
        "nobody waits any more: it stays"
    );
    assert!(lab.passes(0));
}

#[test]
fn a_full_queue_is_said_to_be_full() {
    let mut lab = Lab::new(10, &[10]);
    for _ in 0..100 {
        lab.request(0);
    }
    lab.said();
    let id = lab.request(0);
    assert_eq!(lab.refused(), [(id.0, Refusal::QueueFull)]);
}

#[test]
fn more_than_was_expected_sends_idle_models_away() {
    let mut lab = Lab::new(20, &[10, 10]);
    lab.loaded(0);
    lab.pass(secs(5));
    lab.loaded(1);
    lab.play(Event::Measured {
        model: ModelId(1),
        memory: mib(12),
    });
    assert_eq!(lab.said(), [stops(0)]);
}

#[test]
fn the_wait_for_another_try_is_no_part_of_the_load() {
    let mut lab = Lab::new(100, &[60]);
    lab.loaded(0);
    let begins = lab.now + secs(30);
    lab.instance(0, InstanceIs::Again { at: begins });
    lab.pass(secs(30));
    lab.instance(0, InstanceIs::Loading);
    lab.pass(secs(4));
    lab.ready(0);
    let look = lab.scheduler.look(ModelId(0)).unwrap();
    assert_eq!(look.load, secs(4));
}
