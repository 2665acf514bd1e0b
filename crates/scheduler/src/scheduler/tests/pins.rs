use super::lab::{SPEC, inspects, prefetches, stops};
use super::*;

/// What is refused for want of what pinned models hold.
fn for_the_pinned(refused: &[(u64, Refusal)]) -> Vec<u64> {
    let pinned = |(id, refusal): &(u64, Refusal)| {
        matches!(refusal, Refusal::DoesNotFit { pinned: true, .. }).then_some(*id)
    };
    refused.iter().filter_map(pinned).collect()
}

/// The first model is busy, and a request for each of two others waits for its place.
fn two_wait_for_one(lab: &mut Lab) -> [u64; 2] {
    lab.loaded(0);
    lab.passes(0);
    let waiting = [1, 2].map(|at| lab.request(at).0);
    lab.inspected(1);
    lab.inspected(2);
    waiting
}

#[test]
fn what_needs_a_pinned_models_place_is_refused_until_it_is_unpinned() {
    let mut lab = Lab::new(10, &[8, 5]);
    lab.loaded(0);
    lab.pin(0, true);
    lab.pass(secs(3600));
    let id = lab.request(1);
    lab.inspected(1);
    let refusal = Refusal::DoesNotFit {
        needs: mib(5),
        available: Memory::budget(10 << 20, None).minus(&mib(8)),
        pinned: true,
    };
    assert_eq!(lab.refused(), [(id.0, refusal)]);
    assert!(
        matches!(lab.notes.last(), Some((ModelId(1), Note::DoesNotFit { pinned, .. })) if *pinned == [ModelId(0)]),
        "{:?}",
        lab.notes
    );
    lab.pin(0, false);
    assert_eq!(lab.status(0), Status::Ready, "nobody needs its place yet");
    lab.request(1);
    lab.inspected(1);
    assert_eq!(lab.said(), [inspects(1), stops(0), prefetches(1)]);
}

#[test]
fn no_pin_is_blamed_for_what_would_not_fit_anyway() {
    let mut lab = Lab::new(10, &[8, 11]);
    lab.loaded(0);
    lab.pin(0, true);
    lab.request(1);
    lab.inspected(1);
    let refused = lab.refused();
    assert!(
        matches!(refused[..], [(_, Refusal::DoesNotFit { available, pinned: false, .. })] if available.host() == 2 << 20),
        "{refused:?}"
    );
}

#[test]
fn who_waits_gets_an_unpinned_models_place_at_once() {
    let mut lab = Lab::new(10, &[5, 5, 5]);
    lab.loaded(0);
    lab.pin(0, true);
    lab.loaded(1);
    lab.pass(secs(6));
    lab.passes(1);
    lab.request(2);
    lab.inspected(2);
    assert_eq!(lab.said(), [inspects(2)]);
    assert!(
        matches!(lab.notes.last(), Some((ModelId(2), Note::WaitsForRoom { kept, pinned, .. }))
            if *kept == [ModelId(1)] && *pinned == [ModelId(0)]),
        "{:?}",
        lab.notes
    );
    lab.pin(0, false);
    assert_eq!(lab.said(), [stops(0), prefetches(2)]);
}

#[test]
fn who_waits_for_what_is_pinned_now_is_told_at_once() {
    let mut lab = Lab::new(10, &[8, 5, 5]);
    let waiting = two_wait_for_one(&mut lab);
    lab.said();
    lab.pin(0, true);
    assert_eq!(for_the_pinned(&lab.refused()), waiting);
}

#[test]
fn a_pin_keeps_a_busy_model_that_was_about_to_go_for_others() {
    let mut lab = Lab::new(20, &[20, 10, 10]);
    let waiting = two_wait_for_one(&mut lab);
    lab.pass(secs(30));
    assert_eq!(lab.status(0), Status::Draining);
    lab.said();
    lab.pin(0, true);
    // The second was promised what the first would have left.
    assert_eq!(for_the_pinned(&lab.refused()), waiting);
    assert_eq!(lab.status(0), Status::Ready);
    assert!(lab.passes(0));
    lab.release(0);
    lab.release(0);
    lab.pass(secs(3600));
    assert_eq!(lab.said(), []);
}

#[test]
fn room_is_made_another_way_where_there_is_one() {
    let mut lab = Lab::new(20, &[10, 10, 10]);
    lab.loaded(0);
    lab.loaded(1);
    lab.passes(0);
    lab.passes(1);
    let id = lab.request(2);
    lab.inspected(2);
    lab.pass(secs(30));
    let goes = usize::from(lab.status(1) == Status::Draining);
    assert_eq!(lab.status(goes), Status::Draining);
    lab.pin(goes, true);
    assert_eq!(lab.status(goes), Status::Ready);
    assert_eq!(lab.status(1 - goes), Status::Draining);
    lab.said();
    lab.release(1 - goes);
    lab.stopped(1 - goes);
    lab.ready(2);
    assert_eq!(lab.granted(), [id.0]);
}

#[test]
fn a_pin_loads_nothing_and_holds_for_the_next_load() {
    let spec = ModelSpec {
        keep_alive: Some(secs(60)),
        ..SPEC
    };
    let mut lab = Lab::with(10, &[10, 10], spec);
    lab.pin(0, true);
    lab.pin(0, true);
    assert_eq!((lab.said(), lab.status(0)), (vec![], Status::Unloaded));
    let by = PinnedBy::Operator;
    assert_eq!(lab.notes, [(ModelId(0), Note::Pinned { by })], "once");
    lab.loaded(0);
    lab.pass(secs(600));
    assert_eq!(lab.said(), []);
    lab.pin(0, false);
    lab.pass(secs(0));
    assert_eq!(lab.said(), [stops(0)], "it was idle for long enough");
}

#[test]
fn a_pin_stays_until_the_configuration_says_something_else_of_pins() {
    let mut lab = Lab::new(10, &[10]);
    let is_pinned = |lab: &Lab| lab.scheduler.look(ModelId(0)).unwrap().pinned;
    let change = |lab: &mut Lab, cap, pinned| {
        let spec = ModelSpec {
            cap,
            pinned,
            ..SPEC
        };
        lab.play(Event::Change {
            model: ModelId(0),
            spec,
            restart: false,
        });
    };
    lab.pin(0, true);
    change(&mut lab, 5, false);
    assert!(is_pinned(&lab), "it says what it has always said");
    change(&mut lab, 5, true);
    assert!(is_pinned(&lab));
    change(&mut lab, 5, false);
    assert!(!is_pinned(&lab));
    change(&mut lab, 5, true);
    lab.pin(0, false);
    change(&mut lab, 6, true);
    assert!(!is_pinned(&lab), "the operator's word is the last");
    let (operator, configuration) = (PinnedBy::Operator, PinnedBy::Configuration);
    let notes: Vec<_> = lab.notes.into_iter().map(|(_, note)| note).collect();
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
