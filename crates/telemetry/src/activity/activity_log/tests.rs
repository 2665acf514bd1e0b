//! Tests of the activity log: restarts, full disks and damaged files.

use super::*;
use crate::{Outcome, RequestRecord, Route};
use std::fs;
use std::path::Path;
use tempfile::TempDir;
use tokio::time::Instant;

const MONTH: Option<Duration> = Some(Duration::from_hours(24 * 30));

fn batch(ids: &[String]) -> RecordBatch {
    let record = RequestRecord {
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
    let records = ids.iter().map(|id| {
        end += id.len();
        (record.clone(), end)
    });
    RecordBatch {
        records: records.collect(),
        ids: ids.concat().into_bytes(),
        traces: Vec::new(),
        names: Arc::new([Some("m".into())]),
        clocks: (Instant::now(), SystemTime::now()),
    }
}

fn open_log(directory: &Path) -> ActivityLog {
    ActivityLog::new(Some(directory.to_owned()), MONTH, Arc::default())
}

fn take(log: &mut ActivityLog, numbers: std::ops::Range<usize>) {
    let ids: Vec<String> = numbers.map(|number| number.to_string()).collect();
    for ids in ids.chunks(1_000) {
        log.add_requests(&batch(ids));
    }
}

fn page(log: &mut ActivityLog, query: &ActivityQuery) -> Vec<(u64, String)> {
    let page = log.requests(query).into_iter();
    page.map(|(seq, logged)| (seq, logged.id)).collect()
}

/// Returns the ids of the newest requests.
fn newest(log: &mut ActivityLog, limit: usize) -> Vec<String> {
    let query = ActivityQuery {
        limit,
        ..ActivityQuery::default()
    };
    let page = page(log, &query).into_iter();
    page.map(|(_, id)| id).collect()
}

fn event(word: &'static str) -> LifecycleEvent {
    LifecycleEvent {
        at: SystemTime::now(),
        model: "m".into(),
        event: word.into(),
        reason: None,
        message: String::new(),
    }
}

fn lost(log: &ActivityLog) -> u64 {
    log.lost.load(Ordering::Relaxed)
}

#[test]
fn what_is_in_memory_and_what_is_in_the_file_is_one_list() {
    let place = tempfile::tempdir().unwrap();
    let mut log = open_log(place.path());
    take(&mut log, 0..3);
    log.add_event(event("ready"));
    log.write();
    take(&mut log, 3..5);
    log.add_event(event("unloaded"));
    assert_eq!(newest(&mut log, 4), ["4", "3", "2", "1"]);
    let query = ActivityQuery {
        limit: 3,
        after: Some(2),
        model: Some("m".to_owned()),
        ..ActivityQuery::default()
    };
    let after = page(&mut log, &query);
    assert_eq!(
        after,
        [
            (5, "4".to_owned()),
            (4, "3".to_owned()),
            (3, "2".to_owned())
        ]
    );
    let after = page(
        &mut log,
        &ActivityQuery {
            limit: 1,
            ..query.clone()
        },
    );
    assert_eq!(after, [(3, "2".to_owned())]);
    let found = page(
        &mut log,
        &ActivityQuery {
            id: Some("4".to_owned()),
            ..query
        },
    );
    assert_eq!(found, [(5, "4".to_owned())]);
    let events = log.events(&ActivityQuery {
        limit: 9,
        ..ActivityQuery::default()
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
    let mut first = open_log(place.path());
    take(&mut first, 0..3);
    first.write();
    drop(first);
    let mut second = open_log(place.path());
    take(&mut second, 3..4);
    let all = page(
        &mut second,
        &ActivityQuery {
            limit: 2,
            ..ActivityQuery::default()
        },
    );
    assert_eq!(all, [(4, "3".to_owned()), (3, "2".to_owned())]);
}

#[test]
fn without_a_directory_the_last_are_in_memory() {
    let mut log = ActivityLog::new(None, MONTH, Arc::default());
    take(&mut log, 0..MAX_BUFFERED_REQUESTS + 5);
    log.write();
    assert!(!log.prune(SystemTime::now()));
    assert_eq!(newest(&mut log, usize::MAX).len(), MAX_BUFFERED_REQUESTS);
    assert_eq!((lost(&log), log.is_failing()), (0, false));
}

fn pages(log: &ActivityLog, pragma: &str) -> u32 {
    let connection = &log.store.as_ref().unwrap().connection;
    let pages = connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0));
    pages.unwrap()
}

#[test]
fn a_full_disk_costs_what_memory_does_not_hold_and_is_got_over() {
    let place = tempfile::tempdir().unwrap();
    let mut log = open_log(place.path());
    take(&mut log, 0..3);
    log.write();
    let now = pages(&log, "page_count");
    pages(&log, &format!("max_page_count = {now}"));
    take(&mut log, 3..MAX_BUFFERED_REQUESTS + 10);
    for _ in 0..3 {
        log.write();
        assert!(log.is_failing());
    }
    assert_eq!(lost(&log), 7);
    let all = newest(&mut log, usize::MAX >> 1);
    assert_eq!(all.len(), MAX_BUFFERED_REQUESTS + 3);
    pages(&log, "max_page_count = 1000000");
    log.write();
    assert!(!log.is_failing());
    assert!(log.requests.entries().is_empty());
    assert_eq!(newest(&mut log, usize::MAX >> 1), all);
}

#[test]
fn a_place_that_comes_later_takes_what_has_waited() {
    let place = tempfile::tempdir().unwrap();
    let mut first = open_log(place.path());
    take(&mut first, 0..3);
    first.write();
    drop(first);
    let file = place.path().join(ACTIVITY_DATABASE.name);
    let elsewhere = place.path().join("elsewhere");
    fs::rename(&file, &elsewhere).unwrap();
    fs::create_dir(&file).unwrap();
    let mut second = open_log(place.path());
    assert!(second.is_failing());
    take(&mut second, 3..5);
    second.write();
    assert_eq!(newest(&mut second, 9), ["4", "3"]);
    fs::remove_dir(&file).unwrap();
    fs::rename(&elsewhere, &file).unwrap();
    second.write();
    assert!(!second.is_failing());
    assert_eq!(newest(&mut second, 9), ["4", "3", "2", "1", "0"]);
}

fn damage(place: &TempDir) {
    let file = place.path().join(ACTIVITY_DATABASE.name);
    let mut bytes = fs::read(&file).unwrap();
    assert!(bytes.len() > 16_384);
    bytes[4_096..].fill(0x5a);
    fs::write(&file, bytes).unwrap();
}

#[test]
fn a_file_that_turns_out_to_be_damaged_is_moved_aside() {
    let writes: fn(&mut ActivityLog) = ActivityLog::write;
    let reads: fn(&mut ActivityLog) = |log| drop(newest(log, 9));
    for notices in [writes, reads] {
        let place = tempfile::tempdir().unwrap();
        let mut first = open_log(place.path());
        take(&mut first, 0..2_000);
        first.write();
        drop(first);
        damage(&place);
        let mut second = open_log(place.path());
        take(&mut second, 0..1);
        notices(&mut second);
        second.write();
        assert_eq!(
            (newest(&mut second, 9), second.is_failing()),
            (vec!["0".to_owned()], false)
        );
        assert!(place.path().join("activity.sqlite.broken").exists());
    }
}

#[test]
fn what_is_not_to_be_kept_is_removed_and_kept_again_when_it_is() {
    let place = tempfile::tempdir().unwrap();
    let mut log = open_log(place.path());
    take(&mut log, 0..3);
    log.write();
    log.set_retention(None);
    let files = || fs::read_dir(place.path()).unwrap().count();
    assert_eq!(files(), 0);
    take(&mut log, 3..5);
    log.write();
    assert_eq!(
        (newest(&mut log, 9), files()),
        (vec!["4".to_owned(), "3".to_owned()], 0)
    );
    log.set_retention(MONTH);
    log.write();
    let all = page(
        &mut log,
        &ActivityQuery {
            limit: 9,
            ..ActivityQuery::default()
        },
    );
    assert_eq!(all, [(5, "4".to_owned()), (4, "3".to_owned())]);
    assert!(log.requests.entries().is_empty());
}

#[test]
fn what_is_older_than_it_may_be_is_deleted() {
    let place = tempfile::tempdir().unwrap();
    let mut log = open_log(place.path());
    take(&mut log, 0..3);
    log.write();
    let soon = SystemTime::now() + Duration::from_mins(1);
    assert!(!log.prune(soon));
    log.set_retention(Some(Duration::from_secs(30)));
    while log.prune(soon) {}
    assert!(newest(&mut log, 9).is_empty());
}

#[test]
fn a_run_that_did_not_say_that_it_ended_is_noticed_by_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let run = |notes: &[LifecycleEvent]| {
        let mut log = open_log(directory.path());
        let cut_off = log.was_previous_run_cut_off();
        log.add_event(paddock_events::started_event(cut_off));
        for note in notes {
            log.add_event(note.clone());
        }
        log.write();
        cut_off
    };
    let of_a_model = LifecycleEvent {
        model: "m".into(),
        ..paddock_events::started_event(false)
    };
    assert!(
        !run(&[paddock_events::stopped_event(None)]),
        "there was none before"
    );
    assert!(!run(&[]));
    assert!(run(&[
        paddock_events::stopped_event(Some("a part")),
        of_a_model
    ]));
    assert!(!run(&[]));
    let mut log = open_log(directory.path());
    let all = ActivityQuery {
        limit: 10,
        model: Some(String::new()),
        ..ActivityQuery::default()
    };
    let reasons: Vec<_> = log
        .events(&all)
        .into_iter()
        .map(|(_, event)| event.reason)
        .collect();
    let [cut_off, panic, signal] = ["cut_off", "panic", "signal"].map(|word| Some(word.into()));
    assert_eq!(reasons, [None, panic, cut_off, None, signal, None]);
}
