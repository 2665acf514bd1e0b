use super::*;
use crate::{Outcome, Route, Row};
use std::fs;
use std::path::Path;
use tempfile::TempDir;
use tokio::time::Instant;

const MONTH: Option<Duration> = Some(Duration::from_hours(24 * 30));

fn batch(ids: &[String]) -> Batch {
    let row = Row {
        arrived: Instant::now(),
        key: None,
        model: Some(paddock_scheduler::ModelId(0)),
        route: Route::ChatCompletions,
        status: Some(200),
        outcome: Outcome::Complete,
        error: None,
        queue: Duration::ZERO,
        load: Duration::ZERO,
        engine_wait: Duration::ZERO,
        ttft: None,
        total: Duration::from_secs(1),
        usage: paddock_wire::Usage::default(),
        bytes_in: 1,
        bytes_out: 2,
    };
    let mut end = 0;
    let rows = ids.iter().map(|id| {
        end += id.len();
        (row.clone(), end)
    });
    Batch {
        rows: rows.collect(),
        ids: ids.concat().into_bytes(),
        traces: Vec::new(),
        names: Arc::new([Some("m".into())]),
        clocks: (Instant::now(), SystemTime::now()),
    }
}

fn keeper(directory: &Path) -> Keeper {
    Keeper::new(Some(directory.to_owned()), MONTH, Arc::default())
}

fn take(keeper: &mut Keeper, numbers: std::ops::Range<usize>) {
    let ids: Vec<String> = numbers.map(|number| number.to_string()).collect();
    for ids in ids.chunks(1_000) {
        keeper.take(&batch(ids));
    }
}

fn page(keeper: &mut Keeper, wanted: &Wanted) -> Vec<(u64, String)> {
    let page = keeper.requests(wanted).into_iter();
    page.map(|(seq, listed)| (seq, listed.id)).collect()
}

/// The newest, by their ids.
fn newest(keeper: &mut Keeper, limit: usize) -> Vec<String> {
    let wanted = Wanted {
        limit,
        ..Wanted::default()
    };
    let page = page(keeper, &wanted).into_iter();
    page.map(|(_, id)| id).collect()
}

fn event(word: &'static str) -> Lifecycle {
    Lifecycle {
        at: SystemTime::now(),
        model: "m".into(),
        event: word.into(),
        reason: None,
        message: String::new(),
    }
}

fn lost(keeper: &Keeper) -> u64 {
    keeper.lost.load(Ordering::Relaxed)
}

#[test]
fn what_is_in_memory_and_what_is_in_the_file_is_one_list() {
    let place = tempfile::tempdir().unwrap();
    let mut keeper = keeper(place.path());
    take(&mut keeper, 0..3);
    keeper.note(event("ready"));
    keeper.write();
    take(&mut keeper, 3..5);
    keeper.note(event("unloaded"));
    assert_eq!(newest(&mut keeper, 4), ["4", "3", "2", "1"]);
    let wanted = Wanted {
        limit: 3,
        after: Some(2),
        model: Some("m".to_owned()),
        ..Wanted::default()
    };
    let after = page(&mut keeper, &wanted);
    assert_eq!(
        after,
        [
            (5, "4".to_owned()),
            (4, "3".to_owned()),
            (3, "2".to_owned())
        ]
    );
    let after = page(
        &mut keeper,
        &Wanted {
            limit: 1,
            ..wanted.clone()
        },
    );
    assert_eq!(after, [(3, "2".to_owned())]);
    let found = page(
        &mut keeper,
        &Wanted {
            id: Some("4".to_owned()),
            ..wanted
        },
    );
    assert_eq!(found, [(5, "4".to_owned())]);
    let events = keeper.events(&Wanted {
        limit: 9,
        ..Wanted::default()
    });
    let words: Vec<_> = events
        .iter()
        .map(|(seq, event)| (*seq, &*event.event))
        .collect();
    assert_eq!(words, [(2, "unloaded"), (1, "ready")]);
}

#[test]
fn places_go_on_after_a_restart() {
    let place = tempfile::tempdir().unwrap();
    let mut first = keeper(place.path());
    take(&mut first, 0..3);
    first.write();
    drop(first);
    let mut second = keeper(place.path());
    take(&mut second, 3..4);
    let all = page(
        &mut second,
        &Wanted {
            limit: 2,
            ..Wanted::default()
        },
    );
    assert_eq!(all, [(4, "3".to_owned()), (3, "2".to_owned())]);
}

#[test]
fn without_a_directory_the_last_are_in_memory() {
    let mut keeper = Keeper::new(None, MONTH, Arc::default());
    take(&mut keeper, 0..REQUESTS + 5);
    keeper.write();
    assert!(!keeper.tidy(SystemTime::now()));
    assert_eq!(newest(&mut keeper, usize::MAX).len(), REQUESTS);
    assert_eq!((lost(&keeper), keeper.is_troubled()), (0, false));
}

fn pages(keeper: &Keeper, pragma: &str) -> u32 {
    let connection = &keeper.store.as_ref().unwrap().connection;
    let pages = connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0));
    pages.unwrap()
}

#[test]
fn a_full_disk_costs_what_memory_does_not_hold_and_is_got_over() {
    let place = tempfile::tempdir().unwrap();
    let mut keeper = keeper(place.path());
    take(&mut keeper, 0..3);
    keeper.write();
    let now = pages(&keeper, "page_count");
    pages(&keeper, &format!("max_page_count = {now}"));
    take(&mut keeper, 3..REQUESTS + 10);
    for _ in 0..3 {
        keeper.write();
        assert!(keeper.is_troubled());
    }
    assert_eq!(lost(&keeper), 7);
    let all = newest(&mut keeper, usize::MAX >> 1);
    assert_eq!(all.len(), REQUESTS + 3);
    pages(&keeper, "max_page_count = 1000000");
    keeper.write();
    assert!(!keeper.is_troubled());
    assert!(keeper.requests.rows().is_empty());
    assert_eq!(newest(&mut keeper, usize::MAX >> 1), all);
}

#[test]
fn a_place_that_comes_later_takes_what_has_waited() {
    let place = tempfile::tempdir().unwrap();
    let mut first = keeper(place.path());
    take(&mut first, 0..3);
    first.write();
    drop(first);
    let file = place.path().join(FILE.name);
    let elsewhere = place.path().join("elsewhere");
    fs::rename(&file, &elsewhere).unwrap();
    fs::create_dir(&file).unwrap();
    let mut second = keeper(place.path());
    assert!(second.is_troubled());
    take(&mut second, 3..5);
    second.write();
    assert_eq!(newest(&mut second, 9), ["4", "3"]);
    fs::remove_dir(&file).unwrap();
    fs::rename(&elsewhere, &file).unwrap();
    second.write();
    assert!(!second.is_troubled());
    assert_eq!(newest(&mut second, 9), ["4", "3", "2", "1", "0"]);
}

fn damage(place: &TempDir) {
    let file = place.path().join(FILE.name);
    let mut bytes = fs::read(&file).unwrap();
    assert!(bytes.len() > 16_384);
    bytes[4_096..].fill(0x5a);
    fs::write(&file, bytes).unwrap();
}

#[test]
fn a_file_that_turns_out_to_be_damaged_is_moved_aside() {
    let writes: fn(&mut Keeper) = Keeper::write;
    let reads: fn(&mut Keeper) = |keeper| drop(newest(keeper, 9));
    for notices in [writes, reads] {
        let place = tempfile::tempdir().unwrap();
        let mut first = keeper(place.path());
        take(&mut first, 0..2_000);
        first.write();
        drop(first);
        damage(&place);
        let mut second = keeper(place.path());
        take(&mut second, 0..1);
        notices(&mut second);
        second.write();
        assert_eq!(
            (newest(&mut second, 9), second.is_troubled()),
            (vec!["0".to_owned()], false)
        );
        assert!(place.path().join("activity.sqlite.broken").exists());
    }
}

#[test]
fn what_is_not_to_be_kept_is_removed_and_kept_again_when_it_is() {
    let place = tempfile::tempdir().unwrap();
    let mut keeper = keeper(place.path());
    take(&mut keeper, 0..3);
    keeper.write();
    keeper.keep_for(None);
    let files = || fs::read_dir(place.path()).unwrap().count();
    assert_eq!(files(), 0);
    take(&mut keeper, 3..5);
    keeper.write();
    assert_eq!(
        (newest(&mut keeper, 9), files()),
        (vec!["4".to_owned(), "3".to_owned()], 0)
    );
    keeper.keep_for(MONTH);
    keeper.write();
    let all = page(
        &mut keeper,
        &Wanted {
            limit: 9,
            ..Wanted::default()
        },
    );
    assert_eq!(all, [(5, "4".to_owned()), (4, "3".to_owned())]);
    assert!(keeper.requests.rows().is_empty());
}

#[test]
fn what_is_older_than_it_may_be_is_deleted() {
    let place = tempfile::tempdir().unwrap();
    let mut keeper = keeper(place.path());
    take(&mut keeper, 0..3);
    keeper.write();
    let soon = SystemTime::now() + Duration::from_mins(1);
    assert!(!keeper.tidy(soon));
    keeper.keep_for(Some(Duration::from_secs(30)));
    while keeper.tidy(soon) {}
    assert!(newest(&mut keeper, 9).is_empty());
}

#[test]
fn a_run_that_did_not_say_that_it_ended_is_noticed_by_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let run = |notes: &[Lifecycle]| {
        let mut keeper = keeper(directory.path());
        let cut_off = keeper.was_cut_off();
        keeper.note(paddock::started(cut_off));
        for note in notes {
            keeper.note(note.clone());
        }
        keeper.write();
        cut_off
    };
    let of_a_model = Lifecycle {
        model: "m".into(),
        ..paddock::started(false)
    };
    assert!(!run(&[paddock::stopped(None)]), "there was none before");
    assert!(!run(&[]));
    assert!(run(&[paddock::stopped(Some("a part")), of_a_model]));
    assert!(!run(&[]));
    let mut keeper = keeper(directory.path());
    let all = Wanted {
        limit: 10,
        model: Some(String::new()),
        ..Wanted::default()
    };
    let reasons: Vec<_> = keeper
        .events(&all)
        .into_iter()
        .map(|(_, event)| event.reason)
        .collect();
    let [cut_off, panic, signal] = ["cut_off", "panic", "signal"].map(|word| Some(word.into()));
    assert_eq!(reasons, [None, panic, cut_off, None, signal, None]);
}
