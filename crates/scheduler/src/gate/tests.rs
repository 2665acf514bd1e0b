use super::*;

const NOW: Stamp = Stamp(7);

#[test]
fn a_shut_gate_lets_nobody_through() {
    let gate = Gate::default();
    assert_eq!(gate.try_acquire(8), None);
    gate.set_generation(Generation(3));
    gate.open();
    assert_eq!(gate.try_acquire(8), Some(Generation(3)));
    assert_eq!(gate.shut(), 1);
    assert_eq!(gate.try_acquire(8), None);
    assert_eq!(gate.in_flight(), 1);
    assert!(gate.release(NOW), "the release of a shut gate is told");
    assert_eq!(
        (gate.in_flight(), gate.last_release(), gate.release_count()),
        (0, NOW, 1)
    );
}

#[test]
fn the_cap_holds_for_the_fast_path_alone() {
    let gate = Gate::default();
    gate.open();
    assert!(gate.try_acquire(1).is_some());
    assert_eq!(gate.try_acquire(1), None);
    gate.grant();
    assert_eq!(gate.in_flight(), 2);
    assert!(!gate.release(NOW));
}

#[test]
fn an_open_gate_tells_of_its_last_lease_only_when_asked() {
    let gate = Gate::default();
    gate.open();
    gate.try_acquire(2);
    gate.try_acquire(2);
    gate.set_notify_idle(true);
    assert!(!gate.release(NOW));
    assert!(gate.release(NOW));
    gate.try_acquire(2);
    gate.set_notify_idle(false);
    assert!(!gate.release(NOW));
}

#[test]
fn a_busy_gate_is_not_shut_for_being_idle() {
    let gate = Gate::default();
    gate.open();
    gate.try_acquire(1);
    assert!(!gate.shut_if_idle());
    assert!(gate.is_open());
    assert!(!gate.release(NOW));
    assert!(gate.shut_if_idle());
    assert!(!gate.is_open());
}

#[test]
fn threads_never_pass_the_cap() {
    let gate = Gate::default();
    gate.open();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20_000 {
                    if gate.try_acquire(3).is_some() {
                        assert!(gate.in_flight() <= 3);
                        let _ = gate.release(NOW);
                    }
                }
            });
        }
    });
    assert_eq!(gate.in_flight(), 0);
}

#[test]
fn a_gate_is_contended_while_it_is_shut_or_its_memory_is_wanted() {
    let gate = Gate::default();
    assert!(gate.is_contended());
    gate.open();
    assert!(!gate.is_contended());
    gate.set_memory_wanted(true);
    assert!(gate.is_contended() && gate.try_acquire(1).is_some());
    gate.set_memory_wanted(false);
    assert!(!gate.is_contended());
}
