//! Pinned models.

use super::harness::{SPEC, inspects, prefetches, stops};
use super::*;

/// Returns the requests that were refused because pinned models hold the memory.
fn for_the_pinned(refused: &[(u64, Refusal)]) -> Vec<u64> {
    let pinned = |(id, refusal): &(u64, Refusal)| {
        matches!(refusal, Refusal::DoesNotFit { pinned: true, .. }).then_some(*id)
    };
    refused.iter().filter_map(pinned).collect()
}

/// The first model is busy, and a request for each of two others waits for its memory.
fn two_wait_for_one(harness: &mut Harness) -> [u64; 2] {
    harness.loaded(0);
    harness.passes(0);
    let waiting = [1, 2].map(|at| harness.request(at).0);
    harness.inspected(1);
    harness.inspected(2);
    waiting
}

#[test]
fn what_needs_a_pinned_models_place_is_refused_until_it_is_unpinned() {
    let mut harness = Harness::new(10, &[8, 5]);
    harness.loaded(0);
    harness.pin(0, true);
    harness.pass(secs(3600));
    let id = harness.request(1);
    harness.inspected(1);
    let refusal = Refusal::DoesNotFit {
        needs: mib(5),
        available: Memory::budget(10 << 20, None).minus(&mib(8)),
        pinned: true,
    };
    assert_eq!(harness.refused(), [(id.0, refusal)]);
    assert!(
        matches!(harness.notes.last(), Some((ModelId(1), Note::DoesNotFit { pinned, .. })) if *pinned == [ModelId(0)]),
        "{:?}",
        harness.notes
    );
    harness.pin(0, false);
    assert_eq!(
        harness.status(0),
        ModelStatus::Ready,
        "nobody needs its place yet"
    );
    harness.request(1);
    harness.inspected(1);
    assert_eq!(
        harness.take_actions(),
        [inspects(1), stops(0), prefetches(1)]
    );
}

#[test]
fn no_pin_is_blamed_for_what_would_not_fit_anyway() {
    let mut harness = Harness::new(10, &[8, 11]);
    harness.loaded(0);
    harness.pin(0, true);
    harness.request(1);
    harness.inspected(1);
    let refused = harness.refused();
    assert!(
        matches!(refused[..], [(_, Refusal::DoesNotFit { available, pinned: false, .. })] if available.host() == 2 << 20),
        "{refused:?}"
    );
}

#[test]
fn who_waits_gets_an_unpinned_models_place_at_once() {
    let mut harness = Harness::new(10, &[5, 5, 5]);
    harness.loaded(0);
    harness.pin(0, true);
    harness.loaded(1);
    harness.pass(secs(6));
    harness.passes(1);
    harness.request(2);
    harness.inspected(2);
    assert_eq!(harness.take_actions(), [inspects(2)]);
    assert!(
        matches!(harness.notes.last(), Some((ModelId(2), Note::WaitsForRoom { kept, pinned, .. }))
            if *kept == [ModelId(1)] && *pinned == [ModelId(0)]),
        "{:?}",
        harness.notes
    );
    harness.pin(0, false);
    assert_eq!(harness.take_actions(), [stops(0), prefetches(2)]);
}

#[test]
fn who_waits_for_what_is_pinned_now_is_told_at_once() {
    let mut harness = Harness::new(10, &[8, 5, 5]);
    let waiting = two_wait_for_one(&mut harness);
    harness.take_actions();
    harness.pin(0, true);
    assert_eq!(for_the_pinned(&harness.refused()), waiting);
}

#[test]
fn a_pin_keeps_a_busy_model_that_was_about_to_go_for_others() {
    let mut harness = Harness::new(20, &[20, 10, 10]);
    let waiting = two_wait_for_one(&mut harness);
    harness.pass(secs(30));
    assert_eq!(harness.status(0), ModelStatus::Draining);
    harness.take_actions();
    harness.pin(0, true);
    // The second had a claim on memory that the first would have left.
    assert_eq!(for_the_pinned(&harness.refused()), waiting);
    assert_eq!(harness.status(0), ModelStatus::Ready);
    assert!(harness.passes(0));
    harness.release(0);
    harness.release(0);
    harness.pass(secs(3600));
    assert_eq!(harness.take_actions(), []);
}

#[test]
fn room_is_made_another_way_where_there_is_one() {
    let mut harness = Harness::new(20, &[10, 10, 10]);
    harness.loaded(0);
    harness.loaded(1);
    harness.passes(0);
    harness.passes(1);
    let id = harness.request(2);
    harness.inspected(2);
    harness.pass(secs(30));
    let goes = usize::from(harness.status(1) == ModelStatus::Draining);
    assert_eq!(harness.status(goes), ModelStatus::Draining);
    harness.pin(goes, true);
    assert_eq!(harness.status(goes), ModelStatus::Ready);
    assert_eq!(harness.status(1 - goes), ModelStatus::Draining);
    harness.take_actions();
    harness.release(1 - goes);
    harness.stopped(1 - goes);
    harness.ready(2);
    assert_eq!(harness.granted(), [id.0]);
}

#[test]
fn a_pin_loads_nothing_and_holds_for_the_next_load() {
    let spec = ModelSpec {
        keep_alive: Some(secs(60)),
        ..SPEC
    };
    let mut harness = Harness::with(10, &[10, 10], spec);
    harness.pin(0, true);
    harness.pin(0, true);
    assert_eq!(
        (harness.take_actions(), harness.status(0)),
        (vec![], ModelStatus::Unloaded)
    );
    let by = PinnedBy::Operator;
    assert_eq!(harness.notes, [(ModelId(0), Note::Pinned { by })], "once");
    harness.loaded(0);
    harness.pass(secs(600));
    assert_eq!(harness.take_actions(), []);
    harness.pin(0, false);
    harness.pass(secs(0));
    assert_eq!(
        harness.take_actions(),
        [stops(0)],
        "it was idle for long enough"
    );
}

#[test]
fn a_pin_stays_until_the_configuration_says_something_else_of_pins() {
    let mut harness = Harness::new(10, &[10]);
    let is_pinned = |harness: &Harness| harness.scheduler.snapshot(ModelId(0)).unwrap().pinned;
    let change = |harness: &mut Harness, cap, pinned| {
        let spec = ModelSpec {
            cap,
            pinned,
            ..SPEC
        };
        harness.play(Event::Change {
            model: ModelId(0),
            spec,
            restart: false,
        });
    };
    harness.pin(0, true);
    change(&mut harness, 5, false);
    assert!(is_pinned(&harness), "it says what it has always said");
    change(&mut harness, 5, true);
    assert!(is_pinned(&harness));
    change(&mut harness, 5, false);
    assert!(!is_pinned(&harness));
    change(&mut harness, 5, true);
    harness.pin(0, false);
    change(&mut harness, 6, true);
    assert!(!is_pinned(&harness), "the operator's word is the last");
    let (operator, configuration) = (PinnedBy::Operator, PinnedBy::Configuration);
    let notes: Vec<_> = harness.notes.into_iter().map(|(_, note)| note).collect();
    assert_eq!(
        notes,
        [
            Note::Pinned { by: operator },
            Note::Unpinned { by: configuration },
            Note::Pinned { by: configuration },
            Note::Unpinned { by: operator },
        ]
    );
}
