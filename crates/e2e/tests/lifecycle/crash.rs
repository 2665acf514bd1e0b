//! The child is killed: what was in flight is told so, and it is back by itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use paddock_e2e::harness::{Address, Connection, LIMIT, Paddock, Pid, Signal, now, wait_for};
use paddock_e2e::paddock;

use crate::requests::{PACED, whole};

/// A paddock whose child answers slowly and is ready.
fn paced() -> Paddock {
    let paddock = paddock!().engine_args(PACED).start();
    paddock.wait_ready();
    paddock
}

/// Waits for another child than that one, ready.
fn wait_for_the_next(paddock: &Paddock, before: Pid) -> Pid {
    wait_for(LIMIT, "the next child", || {
        let model = paddock.model();
        let other = model["pid"].as_i64()? != i64::from(before.number());
        (model["status"] == "ready" && other).then(|| paddock.child())
    })
}

#[test]
fn requests_on_connections_that_die_with_the_child_are_answered_by_the_next_one() {
    let paddock = paced();
    let mut clients = [(); 4].map(|()| paddock.connect());
    for _ in 0..3 {
        // Answered at once and whole, so that paddock has a connection for each.
        for client in &mut clients {
            client.send(whole(20));
        }
        for client in &mut clients {
            assert_eq!(client.answer().status, 200);
        }
        let before = paddock.child();
        before.signal(Signal::STOP);
        for client in &mut clients {
            client.send(whole(1));
        }
        paddock.wait_in_flight(4);
        before.signal(Signal::KILL);
        for client in &mut clients {
            let answer = client.answer();
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        wait_for_the_next(&paddock, before);
    }
}

#[test]
fn an_idle_child_that_ends_by_itself_is_back_too() {
    let paddock = paddock!()
        .engine_args(["--fake-die", "idle-ms:300:exit0"])
        .start();
    paddock.wait_ready();
    let first = paddock.child();
    wait_for_the_next(&paddock, first);
}

#[test]
fn requests_during_a_crash_are_answered_and_never_refused_or_left_waiting() {
    let paddock = paced();
    let first = paddock.child();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let over_at_last = Over(&over);
        let clients: Vec<_> = (0..4)
            .map(|number| {
                let (address, over) = (paddock.public(), &over);
                scope.spawn(move || ask_on_and_on(address, over, number % 2 == 0))
            })
            .collect();
        // Some answers before the crash, the crash, and some after it.
        wait_for(LIMIT, "traffic", || {
            (paddock.model()["in_flight"].as_u64()? > 2).then_some(())
        });
        first.signal(Signal::KILL);
        wait_for_the_next(&paddock, first);
        for _ in 0..5 {
            assert_eq!(paddock.ask(whole(1)).status, 200);
        }
        drop(over_at_last);
        for client in clients {
            let statuses = client.join().unwrap();
            assert_eq!(statuses.last(), Some(&200), "{statuses:?}");
        }
    });
    // The last lease ends a moment after the last answer.
    paddock.wait_in_flight(0);
}

/// Ends the asking when dropped, also by a test that fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Asks again and again, and returns what it got. Panics where it gets none.
fn ask_on_and_on(address: &Address, over: &AtomicBool, keeps: bool) -> Vec<u16> {
    let mut statuses = Vec::new();
    let mut kept = None;
    while !over.load(Ordering::Relaxed) {
        let mut client = match kept.take() {
            Some(client) => client,
            None => Connection::try_connect(address).expect("never refused"),
        };
        let begun = now();
        let answer = client.ask(whole(3));
        assert!(matches!(answer.status, 200 | 502 | 503), "{answer:?}");
        assert!(begun.elapsed() < Duration::from_secs(15), "{answer:?}");
        statuses.push(answer.status);
        if keeps && !answer.head.closes() {
            kept = Some(client);
        }
    }
    statuses
}
