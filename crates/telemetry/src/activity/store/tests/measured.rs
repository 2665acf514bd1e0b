//! Measures writing and reading in a file of many rows.

use super::*;

/// Returns queries for a file of `rows` rows.
fn pages(rows: u64) -> [(&'static str, ActivityQuery); 10] {
    let id = |seq| Some(request(seq).1.id);
    let model = |name: &str| Some(name.to_owned());
    [
        ("newest", some(100)),
        ("newest 1000", some(1_000)),
        (
            "before",
            ActivityQuery {
                before: Some(rows / 2),
                ..some(100)
            },
        ),
        (
            "after",
            ActivityQuery {
                after: Some(rows / 3),
                ..some(100)
            },
        ),
        (
            "of a busy model",
            ActivityQuery {
                model: model("busy"),
                ..some(100)
            },
        ),
        (
            "of a rare model",
            ActivityQuery {
                model: model("rare"),
                ..some(100)
            },
        ),
        (
            "of a model, before",
            ActivityQuery {
                model: model("often"),
                before: Some(rows / 2),
                ..some(100)
            },
        ),
        (
            "of a new id",
            ActivityQuery {
                id: id(rows - 5),
                ..some(1)
            },
        ),
        (
            "of the oldest id",
            ActivityQuery {
                id: id(1),
                ..some(1)
            },
        ),
        (
            "of no id",
            ActivityQuery {
                id: id(2 * rows),
                ..some(1)
            },
        ),
    ]
}

/// Measures the cost of a write, and the time of each page.
///
/// `PADDOCK_ACTIVITY_ROWS=10000000 cargo test --release -p paddock-telemetry --lib -- --ignored --nocapture million`
#[test]
#[ignore = "takes minutes: a measurement"]
fn pages_of_ten_million_rows_take_milliseconds() {
    let rows = std::env::var("PADDOCK_ACTIVITY_ROWS");
    let rows: u64 = rows.map_or(1_000_000, |rows| rows.parse().unwrap());
    let (place, mut store) = open();
    let processor = || {
        let used = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::new(
            used.tv_sec.unsigned_abs(),
            u32::try_from(used.tv_nsec).unwrap(),
        )
    };
    let mut spent = Duration::ZERO;
    for start in (1..=rows).step_by(1_000) {
        let rows: Page<LoggedRequest> = (start..start + 1_000).map(request).collect();
        let before = processor();
        store.write(rows.iter(), [].iter()).unwrap();
        spent += processor().saturating_sub(before);
    }
    let each = spent.as_nanos() / u128::from(rows);
    let size = std::fs::metadata(place.path().join(ACTIVITY_DATABASE.name))
        .unwrap()
        .len();
    println!(
        "{rows} rows: {each} ns of processor each, {} bytes each",
        size / rows
    );
    drop(store);
    let mut store = ActivityStore::open(place.path()).unwrap();
    for (what, query) in pages(rows) {
        let begun = tokio::time::Instant::now();
        let found = store.requests(&query).unwrap().len();
        let first = begun.elapsed();
        let begun = tokio::time::Instant::now();
        store.requests(&query).unwrap();
        let again = begun.elapsed();
        println!("{what}: {found} in {first:?}, then {again:?}");
        assert!(first < Duration::from_millis(50), "{what}: {first:?}");
    }
    let (mut steps, mut longest) = (0, Duration::ZERO);
    let begun = tokio::time::Instant::now();
    while steps < 100 {
        let step = tokio::time::Instant::now();
        store.prune(at(rows), u64::MAX).unwrap();
        longest = longest.max(step.elapsed());
        steps += 1;
    }
    println!(
        "{steps} steps of deleting: {:?}, the longest {longest:?}",
        begun.elapsed()
    );
}
