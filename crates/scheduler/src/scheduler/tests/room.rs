use super::lab::{inspects, prefetches, starts, stops};
use super::*;

#[test]
fn an_idle_model_makes_room_and_the_next_starts_when_it_is_gone() {
    let mut lab = Lab::new(10, &[10, 10]);
    lab.loaded(0);
    lab.pass(secs(5));
    lab.request(1);
    lab.inspected(1);
    assert_eq!(lab.said(), [inspects(1), stops(0), prefetches(1)]);
    assert!(!lab.passes(0));
    lab.stopped(0);
    assert_eq!(lab.said(), [starts(1)]);
    let evicted = lab.notes.iter().any(|(model, note)| {
        *model == ModelId(0) && matches!(note, Note::Evicted { by: ModelId(1), .. })
    });
    assert!(evicted, "{:?}", lab.notes);
}

#[test]
fn the_minimum_residency_is_kept() {
    let mut lab = Lab::new(10, &[10, 10]);
    lab.loaded(0);
    lab.request(1);
    lab.inspected(1);
    assert_eq!(lab.said(), [inspects(1)]);
    lab.pass(Duration::from_millis(4999));
    assert_eq!(lab.said(), []);
    lab.pass(Duration::from_millis(1));
    assert_eq!(lab.said(), [stops(0), prefetches(1)]);
}

#[test]
fn a_busy_model_goes_only_when_it_falls_idle_and_that_is_told() {
    let mut lab = Lab::new(10, &[10, 10]);
    lab.loaded(0);
    lab.pass(secs(6));
    assert!(lab.passes(0));
    lab.request(1);
    lab.inspected(1);
    assert_eq!(lab.said(), [inspects(1)]);
    assert!(lab.passes(0), "others may still come");
    lab.release(0);
    assert_eq!(lab.said(), []);
    lab.release(0);
    assert_eq!(lab.said(), [stops(0), prefetches(1)]);
}

#[test]
fn who_has_waited_long_enough_gets_a_busy_models_place_once_it_has_finished() {
    let mut lab = Lab::new(10, &[10, 10]);
    lab.loaded(0);
    lab.passes(0);
    lab.request(1);
    lab.inspected(1);
    lab.said();
    lab.pass(secs(30));
    assert_eq!(lab.said(), [prefetches(1)]);
    assert_eq!(lab.status(0), Status::Draining);
    assert!(!lab.passes(0), "nobody new is let in");
    let late = lab.request(0);
    lab.release(0);
    assert_eq!(lab.said(), [stops(0)]);
    lab.stopped(0);
    assert_eq!(
        lab.said(),
        [inspects(0), starts(1)],
        "its queue waits for its next turn"
    );
    lab.inspected(0);
    lab.ready(1);
    assert_eq!(lab.granted(), [2]);
    lab.release(1);
    lab.pass(secs(5));
    assert_eq!(lab.said(), [stops(1), prefetches(0)]);
    lab.stopped(1);
    lab.ready(0);
    assert_eq!(lab.granted(), [late.0]);
}

#[test]
fn who_was_promised_the_rest_of_a_model_that_stays_after_all_waits_for_it_like_any_other() {
    let mut lab = Lab::new(20, &[20, 10, 10]);
    lab.loaded(0);
    lab.passes(0);
    let id = lab.request(1);
    lab.request(2);
    lab.inspected(1);
    lab.inspected(2);
    lab.pass(secs(30));
    assert_eq!(lab.status(0), Status::Draining);
    lab.said();
    lab.play(Event::Cancel { id });
    assert_eq!(
        lab.status(0),
        Status::Draining,
        "the other has waited as long"
    );
    lab.release(0);
    assert_eq!(lab.said(), [prefetches(2), stops(0)]);
}

#[test]
fn a_model_whose_load_took_long_serves_as_long_before_it_must_yield() {
    let mut lab = Lab::new(10, &[10, 10]);
    lab.request(0);
    lab.inspected(0);
    lab.pass(secs(60));
    lab.ready(0);
    lab.request(1);
    lab.inspected(1);
    lab.said();
    lab.pass(secs(59));
    assert_eq!(lab.said(), []);
    lab.pass(secs(1));
    assert_eq!(lab.status(0), Status::Draining);
}

#[test]
fn the_first_in_line_is_not_overtaken_once_it_has_waited_long_enough() {
    let mut lab = Lab::new(20, &[10, 10, 20, 10]);
    lab.loaded(0);
    lab.loaded(1);
    lab.passes(0);
    lab.passes(1);
    lab.request(2);
    lab.inspected(2);
    lab.pass(secs(30));
    assert_eq!(
        (lab.status(0), lab.status(1)),
        (Status::Draining, Status::Draining)
    );
    lab.request(3);
    lab.inspected(3);
    lab.said();
    lab.release(0);
    assert_eq!(lab.said(), [stops(0)]);
    lab.stopped(0);
    assert_eq!(lab.said(), [], "the room is kept for the large one");
    lab.release(1);
    lab.stopped(1);
    assert_eq!(lab.said(), [stops(1), starts(2)]);
}

#[test]
fn a_small_one_may_go_first_while_the_large_one_still_has_time() {
    let mut lab = Lab::new(20, &[15, 15, 5]);
    lab.loaded(0);
    lab.passes(0);
    lab.request(1);
    lab.inspected(1);
    lab.said();
    lab.request(2);
    lab.inspected(2);
    assert_eq!(lab.said(), [inspects(2), starts(2)]);
}

#[test]
fn two_that_fit_load_at_once() {
    let mut lab = Lab::new(20, &[10, 10]);
    lab.request(0);
    lab.request(1);
    lab.inspected(0);
    lab.inspected(1);
    assert_eq!(lab.said(), [inspects(0), inspects(1), starts(0), starts(1)]);
}

#[test]
fn the_least_useful_goes_by_use_and_load_time() {
    let mut lab = Lab::new(20, &[10, 10, 10]);
    lab.loaded(0);
    lab.loaded(1);
    for _ in 0..5 {
        assert!(lab.passes(0));
        lab.release(0);
    }
    lab.pass(secs(10));
    lab.request(2);
    lab.inspected(2);
    assert_eq!(lab.said(), [inspects(2), stops(1), prefetches(2)]);
}

#[test]
fn only_so_many_models_at_once_where_that_is_asked_for() {
    let mut lab = Lab::new(100, &[1, 1, 1]);
    lab.play(Event::Rules {
        policy: lab::POLICY,
        budget: Memory::budget(100 << 20, 2),
    });
    lab.loaded(0);
    lab.loaded(1);
    lab.pass(secs(5));
    lab.request(2);
    lab.inspected(2);
    assert_eq!(lab.said(), [inspects(2), stops(0), prefetches(2)]);
}

#[test]
fn room_on_one_device_is_no_room_on_another() {
    let mut lab = Lab::new(100, &[1, 1]);
    lab.play(Event::Rules {
        policy: lab::POLICY,
        budget: Memory::budget(100 << 20, 0)
            .with_device(0, 10)
            .with_device(1, 10),
    });
    for (model, device) in [(0, 0), (1, 0)] {
        lab.request(model);
        lab.play(Event::Inspected {
            model: ModelId(model),
            demand: Some(Demand {
                memory: mib(1).with_device(device, 8),
                load: secs(1),
                is_proven: true,
            }),
        });
    }
    assert_eq!(
        (lab.status(0), lab.status(1)),
        (Status::Loading, Status::Waiting)
    );
}

#[test]
fn a_claim_nobody_waits_for_any_more_lets_the_others_stay() {
    let mut lab = Lab::new(10, &[10, 10]);
    lab.loaded(0);
    lab.passes(0);
    let id = lab.request(1);
    lab.inspected(1);
    lab.pass(secs(30));
    lab.said();
    lab.play(Event::Cancel { id });
    assert_eq!(
        (lab.status(0), lab.status(1)),
        (Status::Ready, Status::Unloaded)
    );
    assert!(lab.passes(0));
}

#[test]
fn a_turn_that_passes_between_two_looks_at_the_clock_is_still_due() {
    let mut lab = Lab::new(10, &[10, 10]);
    lab.loaded(0);
    lab.passes(0);
    lab.request(1);
    lab.inspected(1);
    lab.said();
    // Whoever asks for the deadline was held up until after it.
    lab.now += secs(31);
    let due = lab.scheduler.next_deadline(lab.now);
    assert!(due.is_some_and(|due| due <= lab.now), "{due:?}");
    // The moments before the wait was over change nothing, and are not due again.
    lab.play(Event::Tick);
    assert_eq!(lab.said(), [prefetches(1)]);
    let due = lab.scheduler.next_deadline(lab.now);
    assert!(due.is_none_or(|due| due > lab.now), "{due:?}");
}
