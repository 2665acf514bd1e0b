//! Tests of the file: pages, query plans and pruning.

mod measured;

use super::super::{ActivityQuery, LifecycleEvent, LoggedRequest, Page};
use super::*;
use std::ops::Range;
use tempfile::TempDir;

/// Some day, in microseconds of Unix time.
const DAY: i64 = 1_800_000_000_000_000;

const MODELS: [&str; 3] = ["busy", "often", "rare"];

fn at(seconds: u64) -> SystemTime {
    time_from_micros(DAY) + Duration::from_secs(seconds)
}

/// Returns a request like those of a busy day, one per second.
fn request(seq: u64) -> (u64, LoggedRequest) {
    let model = match seq {
        _ if seq.is_multiple_of(100_003) => MODELS[2],
        _ if seq.is_multiple_of(7) => MODELS[1],
        _ => MODELS[0],
    };
    let logged = LoggedRequest {
        at: at(seq),
        id: format!(
            "{:08x}-{:08x}",
            seq.wrapping_mul(0x9e37_79b9) & 0xffff_ffff,
            seq
        ),
        model: (!seq.is_multiple_of(11)).then(|| model.into()),
        key: None,
        route: "chat_completions".into(),
        status: Some(200),
        outcome: "complete".into(),
        error: None,
        queue: Duration::from_micros(seq % 1_000),
        load: Duration::ZERO,
        engine_wait: Duration::from_micros(seq % 70),
        ttft: Some(Duration::from_millis(40 + seq % 60)),
        total: Duration::from_millis(900 + seq % 500),
        per_token: Some(Duration::from_nanos(7_123_456 + seq % 1_000)),
        prompt: Some(300 + seq % 2_000),
        cached: Some(seq % 300),
        generated: Some(100 + seq % 200),
        bytes_in: 4_000 + seq % 9_000,
        bytes_out: 20_000 + seq % 9_000,
    };
    (seq, logged)
}

fn event(seq: u64) -> (u64, LifecycleEvent) {
    let event = LifecycleEvent {
        at: at(seq),
        model: MODELS[usize::try_from(seq % 2).unwrap()].into(),
        event: "evicted".into(),
        reason: seq.is_multiple_of(2).then(|| "room".into()),
        message: "it was evicted".to_owned(),
    };
    (seq, event)
}

fn write(store: &mut ActivityStore, seqs: Range<u64>) {
    let rows: Page<LoggedRequest> = seqs.map(request).collect();
    store.write(rows.iter(), [].iter()).unwrap();
}

fn open() -> (TempDir, ActivityStore) {
    let place = tempfile::tempdir().unwrap();
    let store = ActivityStore::open(place.path()).unwrap();
    (place, store)
}

fn some(limit: usize) -> ActivityQuery {
    ActivityQuery {
        limit,
        ..ActivityQuery::default()
    }
}

fn seqs<T>(page: Page<T>) -> Vec<u64> {
    page.into_iter().map(|(seq, _)| seq).collect()
}

fn number(store: &ActivityStore, statement: &str) -> i64 {
    let row = store.connection.query_row(statement, [], |row| row.get(0));
    row.unwrap()
}

#[test]
fn what_is_written_comes_back_after_a_restart() {
    let (place, mut store) = open();
    let bare = LoggedRequest {
        at: UNIX_EPOCH,
        id: String::new(),
        model: None,
        key: Some("ci".into()),
        route: "other".into(),
        status: None,
        outcome: "client_gone".into(),
        error: Some("bad_request".into()),
        queue: Duration::ZERO,
        load: Duration::from_secs(3),
        engine_wait: Duration::ZERO,
        ttft: None,
        total: Duration::from_micros(1),
        per_token: None,
        prompt: None,
        cached: None,
        generated: None,
        bytes_in: 0,
        bytes_out: i64::MAX as u64,
    };
    let rows = [request(1), (2, bare), request(3)];
    let events = [event(7), event(8)];
    store.write(rows.iter(), events.iter()).unwrap();
    drop(store);
    let store = ActivityStore::open(place.path()).unwrap();
    let read = store.requests(&some(10)).unwrap();
    assert!(read.iter().eq(rows.iter().rev()), "{read:?}");
    let read = store.events(&some(10)).unwrap();
    assert!(read.iter().eq(events.iter().rev()), "{read:?}");
    assert_eq!(store.next_seqs().unwrap(), (4, 9));
    assert_eq!(number(&store, "PRAGMA auto_vacuum"), 2);
}

#[test]
fn pages_are_by_place_model_and_id() {
    let (_place, mut store) = open();
    write(&mut store, 1..100);
    let page = |query: ActivityQuery| seqs(store.requests(&query).unwrap());
    assert_eq!(page(some(2)), [99, 98]);
    let before = ActivityQuery {
        before: Some(50),
        ..some(2)
    };
    assert_eq!(page(before.clone()), [49, 48]);
    let after = ActivityQuery {
        after: Some(47),
        ..some(2)
    };
    assert_eq!(page(after.clone()), [48, 49]);
    let between = ActivityQuery {
        after: Some(47),
        ..before.clone()
    };
    assert_eq!(
        page(ActivityQuery {
            limit: 9,
            ..between
        }),
        [48, 49]
    );
    let often = ActivityQuery {
        model: Some("often".to_owned()),
        ..before
    };
    assert_eq!(page(often.clone()), [49, 42]);
    let nobody = ActivityQuery {
        model: Some("nobody".to_owned()),
        ..often
    };
    assert!(page(nobody).is_empty());
    let id = |seq| ActivityQuery {
        id: Some(request(seq).1.id),
        ..some(5)
    };
    assert_eq!(page(id(42)), [42]);
    assert!(page(id(420)).is_empty());
    let others = ActivityQuery {
        model: Some("busy".to_owned()),
        ..id(42)
    };
    assert!(page(others).is_empty());
}

#[test]
fn an_id_that_is_used_again_is_found_in_every_block() {
    let (_place, mut store) = open();
    let block = 1 << BLOCK_BITS;
    let again = |seq| (seq, request(5).1);
    let rows = [
        again(5),
        again(block + 1),
        again(3 * block),
        again(3 * block + 1),
    ];
    store.write(rows.iter(), [].iter()).unwrap();
    let query = ActivityQuery {
        id: Some(request(5).1.id),
        ..some(3)
    };
    let found = seqs(store.requests(&query).unwrap());
    assert_eq!(found, [3 * block + 1, 3 * block, block + 1]);
}

#[test]
fn a_write_that_fails_leaves_nothing_and_the_next_one_works() {
    let (_place, mut store) = open();
    write(&mut store, 1..10);
    let pages = number(&store, "PRAGMA page_count");
    let limit = |store: &ActivityStore, pages: i64| {
        number(store, &format!("PRAGMA max_page_count = {pages}"));
    };
    limit(&store, pages);
    let rows: Page<LoggedRequest> = (10..1_000).map(request).collect();
    let error = store.write(rows.iter(), [].iter()).unwrap_err();
    let full = Some(rusqlite::ErrorCode::DiskFull);
    assert_eq!(error.sqlite_error_code(), full);
    assert_eq!(number(&store, "SELECT count(*) FROM requests"), 9);
    limit(&store, 1_000_000);
    store.write(rows.iter(), [].iter()).unwrap();
    assert_eq!(store.next_seqs().unwrap().0, 1_000);
}

/// Returns the query plan of a page's statement.
fn plan(store: &ActivityStore, statement: &str, values: Vec<Value>) -> String {
    let explain = format!("EXPLAIN QUERY PLAN {statement}");
    let mut statement = store.connection.prepare(&explain).unwrap();
    let values = rusqlite::params_from_iter(values);
    let steps = statement.query_map(values, |row| row.get::<_, String>(3));
    steps
        .unwrap()
        .map(Result::unwrap)
        .collect::<Vec<_>>()
        .join("; ")
}

#[test]
fn no_page_reads_everything_or_sorts() {
    let (_place, mut store) = open();
    for start in (1..200_000).step_by(20_000) {
        write(&mut store, start..start + 20_000);
    }
    let check = |statement: &str, values, uses: &str| {
        let plan = plan(&store, statement, values);
        assert!(plan.contains(uses), "{statement}: {plan}");
        assert!(!plan.contains("SCAN requests"), "{statement}: {plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{statement}: {plan}");
    };
    for query in [
        some(100),
        ActivityQuery {
            before: Some(9),
            ..some(1)
        },
        ActivityQuery {
            after: Some(9),
            ..some(1)
        },
    ] {
        let (rest, values) = page_clause(&query, None);
        check(
            &format!("{SELECT_REQUESTS}{rest}"),
            values,
            "USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
        );
        let (rest, values) = page_clause(&query, Some(1));
        check(
            &format!("{SELECT_REQUESTS}{rest}"),
            values,
            "USING INDEX requests_by_model (model=? AND rowid>? AND rowid<?)",
        );
    }
    let values = vec![Value::from(0), Value::from(0), Value::from("id".to_owned())];
    check(
        &format!("{SELECT_REQUESTS}{WHERE_ID_IN_BLOCK}"),
        values,
        "USING INDEX requests_by_id (<expr>=? AND id_hash=?)",
    );
    for statement in SELECT_SEQ_BOUNDS {
        let plan = plan(&store, statement, Vec::new());
        assert!(!plan.contains("SCAN requests"), "{plan}");
    }
}

#[test]
fn what_is_too_old_goes_in_steps_and_places_go_on() {
    let (place, mut store) = open();
    write(&mut store, 1..5_001);
    let events: Page<LifecycleEvent> = (1..5_001).map(event).collect();
    store.write([].iter(), events.iter()).unwrap();
    let count = |store: &ActivityStore| {
        (
            number(store, "SELECT count(*) FROM requests"),
            number(store, "SELECT count(*) FROM events"),
        )
    };
    assert!(!store.prune(at(1), u64::MAX).unwrap());
    assert!(store.prune(at(3_001), u64::MAX).unwrap());
    assert_eq!(count(&store), (4_000, 4_000));
    while store.prune(at(3_001), u64::MAX).unwrap() {}
    assert_eq!(count(&store), (2_000, 2_000));
    assert_eq!(seqs(store.requests(&some(1)).unwrap()), [5_000]);
    while store.prune(at(9_999), u64::MAX).unwrap() {}
    assert_eq!(count(&store), (0, 0));
    drop(store);
    let store = ActivityStore::open(place.path()).unwrap();
    assert_eq!(store.next_seqs().unwrap(), (5_001, 5_001));
}

#[test]
fn the_file_stays_within_its_size_and_gives_back_what_is_free() {
    const MOST: u64 = 1 << 20;
    let (_place, mut store) = open();
    let used = |store: &ActivityStore| {
        let pages = number(store, "PRAGMA page_count") - number(store, "PRAGMA freelist_count");
        u64::try_from(pages * number(store, "PRAGMA page_size")).unwrap()
    };
    for start in (1..50_000).step_by(5_000) {
        write(&mut store, start..start + 5_000);
        while store.prune(at(0), MOST).unwrap() {}
        assert!(used(&store) <= MOST);
    }
    let kept = number(&store, "SELECT count(*) FROM requests");
    assert!(kept > 4_000, "{kept}");
    assert_eq!(seqs(store.requests(&some(1)).unwrap()), [50_000]);
    let pages = number(&store, "PRAGMA page_count");
    while store.prune(at(99_999), MOST).unwrap() {}
    assert!(number(&store, "PRAGMA page_count") < pages / 2);
    assert_eq!(
        number(
            &store,
            "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"
        ),
        1
    );
}
