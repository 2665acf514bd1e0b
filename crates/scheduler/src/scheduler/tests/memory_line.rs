//! Models that wait for memory: who is evicted, when, and who is served.

use super::harness::{inspects, prefetches, starts, stops};
use super::*;

#[test]
fn an_idle_model_makes_room_and_the_next_starts_when_it_is_gone() {
    let mut harness = Harness::new(10, &[10, 10]);
    harness.loaded(0);
    harness.pass(secs(5));
    harness.request(1);
    harness.inspected(1);
    assert_eq!(
        harness.take_actions(),
        [inspects(1), stops(0), prefetches(1)]
    );
    assert!(!harness.passes(0));
    harness.stopped(0);
    assert_eq!(harness.take_actions(), [starts(1)]);
    let evicted = harness.notes.iter().any(|(model, note)| {
        *model == ModelId(0) && matches!(note, Note::Evicted { by: ModelId(1), .. })
    });
    assert!(evicted, "{:?}", harness.notes);
}

#[test]
fn the_minimum_residency_is_kept() {
    let mut harness = Harness::new(10, &[10, 10]);
    harness.loaded(0);
    harness.request(1);
    harness.inspected(1);
    assert_eq!(harness.take_actions(), [inspects(1)]);
    harness.pass(Duration::from_millis(4999));
    assert_eq!(harness.take_actions(), []);
    harness.pass(Duration::from_millis(1));
    assert_eq!(harness.take_actions(), [stops(0), prefetches(1)]);
}

#[test]
fn a_busy_model_goes_only_when_it_falls_idle_and_that_is_told() {
    let mut harness = Harness::new(10, &[10, 10]);
    harness.loaded(0);
    harness.pass(secs(6));
    assert!(harness.passes(0));
    harness.request(1);
    harness.inspected(1);
    assert_eq!(harness.take_actions(), [inspects(1)]);
    assert!(harness.passes(0), "others may still come");
    harness.release(0);
    assert_eq!(harness.take_actions(), []);
    harness.release(0);
    assert_eq!(harness.take_actions(), [stops(0), prefetches(1)]);
}

#[test]
fn who_has_waited_long_enough_gets_a_busy_models_place_once_it_has_finished() {
    let mut harness = Harness::new(10, &[10, 10]);
    harness.loaded(0);
    harness.passes(0);
    harness.request(1);
    harness.inspected(1);
    harness.take_actions();
    harness.pass(secs(30));
    assert_eq!(harness.take_actions(), [prefetches(1)]);
    assert_eq!(harness.status(0), ModelStatus::Draining);
    assert!(!harness.passes(0), "nobody new is let in");
    let late = harness.request(0);
    harness.release(0);
    assert_eq!(harness.take_actions(), [stops(0)]);
    harness.stopped(0);
    assert_eq!(
        harness.take_actions(),
        [inspects(0), starts(1)],
        "its queue waits for its next turn"
    );
    harness.inspected(0);
    harness.ready(1);
    assert_eq!(harness.granted(), [2]);
    harness.release(1);
    harness.pass(secs(5));
    assert_eq!(harness.take_actions(), [stops(1), prefetches(0)]);
    harness.stopped(1);
    harness.ready(0);
    assert_eq!(harness.granted(), [late.0]);
}

#[test]
fn who_was_promised_the_rest_of_a_model_that_stays_after_all_waits_for_it_like_any_other() {
    let mut harness = Harness::new(20, &[20, 10, 10]);
    harness.loaded(0);
    harness.passes(0);
    let id = harness.request(1);
    harness.request(2);
    harness.inspected(1);
    harness.inspected(2);
    harness.pass(secs(30));
    assert_eq!(harness.status(0), ModelStatus::Draining);
    harness.take_actions();
    harness.play(Event::Cancel { id });
    assert_eq!(
        harness.status(0),
        ModelStatus::Draining,
        "the other has waited as long"
    );
    harness.release(0);
    assert_eq!(harness.take_actions(), [prefetches(2), stops(0)]);
}

#[test]
fn a_model_whose_load_took_long_serves_as_long_before_it_must_yield() {
    let mut harness = Harness::new(10, &[10, 10]);
    harness.request(0);
    harness.inspected(0);
    harness.pass(secs(60));
    harness.ready(0);
    harness.request(1);
    harness.inspected(1);
    harness.take_actions();
    harness.pass(secs(59));
    assert_eq!(harness.take_actions(), []);
    harness.pass(secs(1));
    assert_eq!(harness.status(0), ModelStatus::Draining);
}

#[test]
fn the_first_in_line_is_not_overtaken_once_it_has_waited_long_enough() {
    let mut harness = Harness::new(20, &[10, 10, 20, 10]);
    harness.loaded(0);
    harness.loaded(1);
    harness.passes(0);
    harness.passes(1);
    harness.request(2);
    harness.inspected(2);
    harness.pass(secs(30));
    assert_eq!(
        (harness.status(0), harness.status(1)),
        (ModelStatus::Draining, ModelStatus::Draining)
    );
    harness.request(3);
    harness.inspected(3);
    harness.take_actions();
    harness.release(0);
    assert_eq!(harness.take_actions(), [stops(0)]);
    harness.stopped(0);
    assert_eq!(
        harness.take_actions(),
        [],
        "the room is kept for the large one"
    );
    harness.release(1);
    harness.stopped(1);
    assert_eq!(harness.take_actions(), [stops(1), starts(2)]);
}

#[test]
fn a_small_one_may_go_first_while_the_large_one_still_has_time() {
    let mut harness = Harness::new(20, &[15, 15, 5]);
    harness.loaded(0);
    harness.passes(0);
    harness.request(1);
    harness.inspected(1);
    harness.take_actions();
    harness.request(2);
    harness.inspected(2);
    assert_eq!(harness.take_actions(), [inspects(2), starts(2)]);
}

#[test]
fn two_that_fit_load_at_once() {
    let mut harness = Harness::new(20, &[10, 10]);
    harness.request(0);
    harness.request(1);
    harness.inspected(0);
    harness.inspected(1);
    assert_eq!(
        harness.take_actions(),
        [inspects(0), inspects(1), starts(0), starts(1)]
    );
}

#[test]
fn the_least_useful_goes_by_use_and_load_time() {
    let mut harness = Harness::new(20, &[10, 10, 10]);
    harness.loaded(0);
    harness.loaded(1);
    for _ in 0..5 {
        assert!(harness.passes(0));
        harness.release(0);
    }
    harness.pass(secs(10));
    harness.request(2);
    harness.inspected(2);
    assert_eq!(
        harness.take_actions(),
        [inspects(2), stops(1), prefetches(2)]
    );
}

#[test]
fn only_so_many_models_at_once_where_that_is_asked_for() {
    let mut harness = Harness::new(100, &[1, 1, 1]);
    harness.play(Event::Rules {
        policy: harness::POLICY,
        budget: Memory::budget(100 << 20, std::num::NonZeroU32::new(2)),
    });
    harness.loaded(0);
    harness.loaded(1);
    harness.pass(secs(5));
    harness.request(2);
    harness.inspected(2);
    assert_eq!(
        harness.take_actions(),
        [inspects(2), stops(0), prefetches(2)]
    );
}

#[test]
fn room_on_one_device_is_no_room_on_another() {
    let mut harness = Harness::new(100, &[1, 1]);
    harness.play(Event::Rules {
        policy: harness::POLICY,
        budget: Memory::budget(100 << 20, None)
            .with_device(0, 10)
            .with_device(1, 10),
    });
    for (model, device) in [(0, 0), (1, 0)] {
        harness.request(model);
        harness.play(Event::Inspected {
            model: ModelId(model),
            demand: Some(Demand {
                memory: mib(1).with_device(device, 8),
                load: secs(1),
                is_proven: true,
            }),
        });
    }
    assert_eq!(
        (harness.status(0), harness.status(1)),
        (ModelStatus::Loading, ModelStatus::Waiting)
    );
}

#[test]
fn a_claim_nobody_waits_for_any_more_lets_the_others_stay() {
    let mut harness = Harness::new(10, &[10, 10]);
    harness.loaded(0);
    harness.passes(0);
    let id = harness.request(1);
    harness.inspected(1);
    harness.pass(secs(30));
    harness.take_actions();
    harness.play(Event::Cancel { id });
    assert_eq!(
        (harness.status(0), harness.status(1)),
        (ModelStatus::Ready, ModelStatus::Unloaded)
    );
    assert!(harness.passes(0));
}

#[test]
fn a_turn_that_passes_between_two_looks_at_the_clock_is_still_due() {
    let mut harness = Harness::new(10, &[10, 10]);
    harness.loaded(0);
    harness.passes(0);
    harness.request(1);
    harness.inspected(1);
    harness.take_actions();
    // The caller of next_deadline was delayed until after the deadline.
    harness.now += secs(31);
    let due = harness.scheduler.next_deadline(harness.now);
    assert!(due.is_some_and(|due| due <= harness.now), "{due:?}");
    // The moments before the end of the wait change nothing, and are not due again.
    harness.play(Event::Tick);
    assert_eq!(harness.take_actions(), [prefetches(1)]);
    let due = harness.scheduler.next_deadline(harness.now);
    assert!(due.is_none_or(|due| due > harness.now), "{due:?}");
}
