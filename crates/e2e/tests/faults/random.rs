//! A hundred faults in an order made by a seed, a thousand with `scripts/test --long`: what paddock holds is the same at
//! the end.

use std::fs;
use std::path::PathBuf;
use std::thread;

use paddock_e2e::harness::{Connection, LIMIT, Paddock, Signal, get, now, post, wait_for};
use paddock_e2e::paddock;

use crate::fault::{await_death, descriptors};
use crate::moment::{stream, unload, whole};
use crate::seen::{self, Client};

/// How many paddocks share the work.
const PADDOCKS: u64 = 4;

/// The number of faults on all paddocks together, unless `PADDOCK_FAULT_RUNS` gives another one.
const RUNS: u64 = 120;

/// How many come before the first look at what is held: what is made once is made then.
const WARM_UP: u64 = 40;

/// What an allocator may keep besides, in KiB: it does not give back every page.
const SLACK: u64 = 2_048;

/// How often it is looked at first.
const LOOKS: usize = 100;

/// What paddock holds when nobody asks for anything and no model is loaded.
#[derive(Debug, PartialEq, Eq)]
struct Held {
    processes: usize,
    descriptors: usize,
    files: usize,
}

#[test]
fn nothing_grows_over_random_faults() {
    let _alone = crate::alone();
    let seed = number("PADDOCK_FAULT_SEED").unwrap_or_else(rand_seed);
    let runs = number("PADDOCK_FAULT_RUNS")
        .unwrap_or(RUNS)
        .div_ceil(PADDOCKS);
    println!("PADDOCK_FAULT_SEED={seed}");
    thread::scope(|scope| {
        for number in 0..PADDOCKS {
            scope.spawn(move || live_through(fastrand::Rng::with_seed(seed + number), runs));
        }
    });
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().expect("a number"))
}

fn rand_seed() -> u64 {
    u64::from(fastrand::u32(..))
}

fn live_through(mut random: fastrand::Rng, runs: u64) {
    let mut paddock = paddock!()
        .engine_args(["--fake-token-ms", "1"])
        .config("scheduler.min_residency = '0s'")
        .start();
    for _ in 0..WARM_UP {
        one(&paddock, &mut random);
    }
    let (held, memory) = look(&paddock, None);
    for _ in 0..runs {
        one(&paddock, &mut random);
    }
    let (held, memory_now) = look(&paddock, Some(held));
    println!("{held:?}, memory {memory} KiB, then {memory_now} KiB");
    assert!(
        memory_now <= memory + SLACK,
        "memory grew from {memory} KiB to {memory_now} KiB"
    );
    assert!(paddock.stop(Signal::TERM).success());
    assert_eq!(paddock.leftovers(), [""; 0]);
}

/// One request of any kind, and one fault.
fn one(paddock: &Paddock, random: &mut fastrand::Rng) {
    spare_the_budget(paddock);
    let client = begin(paddock, random);
    match random.u8(..10) {
        0 => paddock.child().signal(Signal::KILL),
        1 => tell_to_die(paddock, "segv"),
        2 => tell_to_die(paddock, "exit0"),
        3 => tell_to_die(paddock, "exit1"),
        4 => tell_to_die(paddock, "out-of-memory"),
        5 => unload(paddock),
        6 => paddock.signal(Signal::HUP),
        7 => return drop(client),
        8 => panic_of_a_task(paddock),
        _ => nonsense(paddock, random),
    }
    if let Some(client) = client {
        let seen = seen::outcome(client);
        assert!(
            !seen.contains("nothing") && !seen.contains("clean"),
            "{seen}"
        );
    }
}

/// A model that keeps crashing is left alone for a minute; one that was unloaded begins anew.
fn spare_the_budget(paddock: &Paddock) {
    if paddock.model()["restarts"].as_u64() >= Some(3) {
        unload(paddock);
        paddock.wait_status("unloaded");
    }
    // Whatever was going on: it is answered.
    wait_for(LIMIT, "an answer", || {
        let answer = paddock.connect().try_ask(whole()).ok()?;
        (answer.status == 200).then_some(())
    });
}

fn begin(paddock: &Paddock, random: &mut fastrand::Rng) -> Option<Client> {
    let mut connection = paddock.connect();
    let mut head = None;
    match random.u8(..4) {
        0 => return None,
        1 => connection.send(whole()),
        2 => connection.send(stream(1_000)),
        _ => {
            connection.send(stream(1_000));
            head = connection.try_head().ok();
            for _ in 0..random.u8(..20) {
                let _ = connection.try_event();
            }
        }
    }
    Some(Client { connection, head })
}

fn tell_to_die(paddock: &Paddock, how: &str) {
    let child = paddock.child();
    if let Ok(mut connection) = Connection::try_connect(&paddock.child_address()) {
        let _ = connection.try_send(get(&format!("/__fake/die/{how}")));
        await_death(child);
    }
}

fn panic_of_a_task(paddock: &Paddock) {
    // It is not answered.
    let _ = Connection::connect(paddock.admin()).try_ask(post("/api/panic/admin", ""));
}

/// A request that is none, or not all of one.
fn nonsense(paddock: &Paddock, random: &mut fastrand::Rng) {
    let whole = whole();
    let part = &whole[..random.usize(..whole.len())];
    let mut client = paddock.connect();
    let _ = client.try_send(part);
    let _ = client.try_send("\0\r\n\r\n");
}

/// What is held with no model loaded, as soon as it is no more than before, and how much memory is in
/// use, in KiB.
fn look(paddock: &Paddock, before: Option<Held>) -> (Held, u64) {
    unload(paddock);
    paddock.wait_status("unloaded");
    let mut held = Held::of(paddock);
    if let Some(before) = before {
        let begun = now();
        while held != before {
            assert!(
                begun.elapsed() < LIMIT,
                "{before:?} has become {held:?}: {:#?}",
                open_files(paddock)
            );
            held = Held::of(paddock);
        }
    } else {
        // Connections of clients that have just left are still there at first.
        for _ in 0..LOOKS {
            let next = Held::of(paddock);
            if next.descriptors < held.descriptors {
                held = next;
            }
        }
    }
    (held, memory(paddock))
}

impl Held {
    fn of(paddock: &Paddock) -> Self {
        let directories = paddock.runtime_directories().into_iter();
        let files = directories.map(|path| fs::read_dir(path).expect("a directory").count());
        Self {
            processes: paddock.processes().len(),
            descriptors: descriptors(paddock).count(),
            files: files.sum(),
        }
    }
}

/// What paddock's descriptors stand for.
fn open_files(paddock: &Paddock) -> Vec<PathBuf> {
    let links = descriptors(paddock).map(|fd| format!("/proc/{}/fd/{fd}", paddock.id()));
    links.filter_map(|link| fs::read_link(link).ok()).collect()
}

/// The anonymous memory that paddock has in use, in KiB (proc(5), `RssAnon`).
fn memory(paddock: &Paddock) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", paddock.id())).expect("a status");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.expect("a number")
}
