use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::thread;

use crate::fault::Fault;
use crate::moment::Moment;
use crate::scene::{Row, play};
use crate::table;

/// How many are played at once: almost all of their time is waiting.
const AT_ONCE: usize = 12;

#[test]
fn every_fault_at_every_moment_is_survived() {
    let _alone = crate::alone();
    let only = std::env::var("PADDOCK_FAULTS").ok();
    let named = |(moment, fault): &(Moment, Fault)| {
        let name = format!("{}, {}", moment.name(), fault.name());
        only.as_ref().is_none_or(|only| name.contains(only))
    };
    let cells = Moment::ALL
        .into_iter()
        .flat_map(|moment| Fault::ALL.map(|fault| (moment, fault)));
    let cells: Vec<_> = cells
        .filter(|(moment, fault)| fault.happens(*moment))
        .filter(named)
        .collect();
    let (loud, mut quiet): (Vec<_>, Vec<_>) = cells
        .iter()
        .copied()
        .partition(|(_, fault)| fault.is_loud());
    // What takes longest begins first.
    quiet.sort_by_key(|(_, fault)| !fault.is_silent());
    let mut results = play_all(quiet, AT_ONCE);
    results.extend(play_all(loud, 1));
    let mut failures = Vec::new();
    let mut rows = Vec::new();
    for result in results {
        match result {
            Ok(row) => rows.push(row),
            Err(name) => failures.push(name),
        }
    }
    assert!(failures.is_empty(), "not as it has to be: {failures:#?}");
    rows.sort_by_key(|row| {
        cells
            .iter()
            .position(|cell| *cell == (row.moment, row.fault))
    });
    if only.is_none() {
        table::compare(&rows);
    } else {
        println!("{rows:#?}");
    }
}

/// Plays them, so many at once. The name of each that fails; why is on standard error.
fn play_all(cells: Vec<(Moment, Fault)>, at_once: usize) -> Vec<Result<Row, String>> {
    let cells = Mutex::new(VecDeque::from(cells));
    let next = || cells.lock().unwrap().pop_front();
    thread::scope(|scope| {
        let players = (0..at_once).map(|_| {
            scope.spawn(|| {
                let mut results = Vec::new();
                while let Some((moment, fault)) = next() {
                    let name = format!("{}, {}", moment.name(), fault.name());
                    let played = catch_unwind(AssertUnwindSafe(|| play(moment, fault)));
                    if played.is_err() {
                        eprintln!("^^^ {name}");
                    }
                    results.push(played.map_err(|_| name));
                }
                results
            })
        });
        let players: Vec<_> = players.collect();
        players
            .into_iter()
            .flat_map(|player| player.join().expect("what fails is caught"))
            .collect()
    })
}
