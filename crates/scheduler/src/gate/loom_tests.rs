//! Tests every interleaving of a few threads with loom.

use super::*;
use loom::sync::Arc;
use loom::thread;

const NOW: Stamp = Stamp(1);

/// A lease either counts when the gate is shut, or its end notifies the scheduler: no drain that has ended is
/// waited for.
#[test]
fn a_drain_is_seen_or_told() {
    loom::model(|| {
        let gate = Arc::new(Gate::default());
        gate.open();
        let client = {
            let gate = Arc::clone(&gate);
            thread::spawn(move || gate.try_acquire(1).is_some_and(|_| gate.release(NOW)))
        };
        let in_flight = gate.shut();
        let told = client.join().unwrap();
        assert_eq!(told, in_flight == 1);
        assert_eq!(gate.in_flight(), 0);
        assert_eq!(gate.try_acquire(1), None);
    });
}

/// Exactly one of a request and an eviction of the idle model wins.
#[test]
fn an_eviction_and_a_request_never_both_win() {
    loom::model(|| {
        let gate = Arc::new(Gate::default());
        gate.open();
        let client = {
            let gate = Arc::clone(&gate);
            thread::spawn(move || gate.try_acquire(1).is_some())
        };
        let evicted = gate.shut_if_idle();
        let passed = client.join().unwrap();
        assert!(evicted != passed);
        assert_eq!(gate.in_flight(), u32::from(passed));
    });
}

/// A scheduler that asks for notifications and then reads the count misses no last lease.
#[test]
fn the_last_lease_is_seen_to_be_gone_or_told() {
    loom::model(|| {
        let gate = Arc::new(Gate::default());
        gate.open();
        assert!(gate.try_acquire(2).is_some());
        let client = {
            let gate = Arc::clone(&gate);
            thread::spawn(move || gate.release(NOW))
        };
        gate.set_notify_idle(true);
        let busy = gate.in_flight() > 0;
        let told = client.join().unwrap();
        assert!(!busy || told);
    });
}

/// The cap binds two requests on the fast path; a granted request counts as well.
#[test]
fn no_lease_is_lost_or_doubled() {
    let mut model = loom::model::Builder::new();
    // Four threads have too many interleavings, and nearly all relevant ones switch rarely.
    model.preemption_bound = Some(3);
    model.check(|| {
        let gate = Arc::new(Gate::default());
        gate.open();
        let clients: Vec<_> = (0..2)
            .map(|_| {
                let gate = Arc::clone(&gate);
                thread::spawn(move || {
                    let passed = gate.try_acquire(1).is_some();
                    if passed {
                        let _ = gate.release(NOW);
                    }
                    passed
                })
            })
            .collect();
        gate.grant();
        let _ = gate.release(NOW);
        let passed = clients.into_iter().map(|client| client.join().unwrap());
        let passed = u64::try_from(passed.filter(|passed| *passed).count()).unwrap();
        assert_eq!((gate.in_flight(), gate.release_count()), (0, passed + 1));
    });
}
