//! Tests of the database of measurements, including damaged and concurrent files.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::super::{ArgumentsHash, FileIdentity};
use super::*;
use paddock_telemetry::database::DatabaseError;

/// Some day.
const NOW: u64 = 1_800_000_000;

struct TestDir(TempDir);

impl TestDir {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, end: &str) -> PathBuf {
        self.0.path().join(format!("learned.sqlite{end}"))
    }

    fn open(&self) -> LoadHistory {
        LoadHistory::open(self.0.path(), NOW).unwrap()
    }

    /// Opens the database as another program would.
    fn raw(&self) -> Connection {
        Connection::open(self.file("")).unwrap()
    }
}

fn key(name: &str) -> LoadKey {
    LoadKey {
        file: FileIdentity::from_paths(&[]).unwrap(),
        arguments: ArgumentsHash::from_args([name]),
        engine: FileIdentity::from_paths(&[]).unwrap(),
    }
}

fn measurement(host: u64, seconds: u64) -> LoadMeasurement {
    LoadMeasurement {
        reported: Some(MeasuredMemory {
            host,
            devices: [("CUDA0".to_owned(), 2 * host)].into(),
        }),
        observed: None,
        load: Duration::from_secs(seconds),
        context: Some(8192),
        loads: 0,
        measured_at: NOW,
    }
}

fn loads(history: &LoadHistory, name: &str) -> Option<u32> {
    Some(history.lookup(&key(name), NOW).unwrap()?.loads)
}

fn count(history: &LoadHistory) -> u32 {
    let count = "SELECT count(*) FROM lessons";
    history
        .connection
        .query_row(count, [], |row| row.get(0))
        .unwrap()
}

#[test]
fn a_lesson_comes_back_as_it_was_given() {
    let dir = TestDir::new();
    let mut history = dir.open();
    assert_eq!(history.lookup(&key("a"), NOW).unwrap(), None);
    let given = LoadMeasurement {
        observed: Some(MeasuredMemory::default()),
        load: Duration::from_micros(1_234_567),
        ..measurement(u64::MAX / 4, 0)
    };
    history.record(&key("a"), &given).unwrap();
    drop(history);
    let want = LoadMeasurement { loads: 1, ..given };
    assert_eq!(dir.open().lookup(&key("a"), NOW).unwrap(), Some(want));
}

#[test]
fn loads_of_one_kind_become_one_lesson() {
    let dir = TestDir::new();
    let mut history = dir.open();
    for seconds in [8, 4, 1] {
        history
            .record(&key("a"), &measurement(100 + seconds, seconds))
            .unwrap();
    }
    history.record(&key("b"), &measurement(7, 7)).unwrap();
    let merged = history.lookup(&key("a"), NOW).unwrap().unwrap();
    assert_eq!(merged.loads, 3);
    // (8 + 4) / 2 = 6, (6 + 1) / 2 = 3.5
    assert_eq!(merged.load, Duration::from_millis(3500));
    assert_eq!(merged.memory().host, 101);
    assert_eq!(loads(&history, "b"), Some(1));
}

#[test]
fn each_part_of_the_key_counts() {
    let dir = TestDir::new();
    let mut history = dir.open();
    let other = FileIdentity::from_paths(&[std::env::temp_dir()]).unwrap();
    history.record(&key("a"), &measurement(1, 1)).unwrap();
    for wrong in [
        key("b"),
        LoadKey {
            file: other.clone(),
            ..key("a")
        },
        LoadKey {
            engine: other.clone(),
            ..key("a")
        },
    ] {
        assert_eq!(history.lookup(&wrong, NOW).unwrap(), None);
    }
}

#[test]
fn what_was_written_is_there_after_a_kill() {
    let dir = TestDir::new();
    let mut history = dir.open();
    let after_kill = TestDir::new();
    for number in 0..20 {
        history.record(&key("a"), &measurement(1, 1)).unwrap();
        // The files as a SIGKILL would leave them here: nothing is closed, nothing moved out of the log.
        for end in ["", "-wal"] {
            fs::copy(dir.file(end), after_kill.file(end)).unwrap();
        }
        let _ = fs::remove_file(after_kill.file("-shm"));
        assert_eq!(loads(&after_kill.open(), "a"), Some(number + 1));
    }
}

#[test]
fn a_write_cut_short_costs_that_lesson_alone() {
    let dir = TestDir::new();
    let mut history = dir.open();
    for name in ["a", "b"] {
        history.record(&key(name), &measurement(1, 1)).unwrap();
    }
    let wal = fs::read(dir.file("-wal")).unwrap();
    let after_kill = TestDir::new();
    fs::copy(dir.file(""), after_kill.file("")).unwrap();
    fs::write(after_kill.file("-wal"), &wal[..wal.len() - 100]).unwrap();
    let reopened = after_kill.open();
    assert_eq!(
        (loads(&reopened, "a"), loads(&reopened, "b")),
        (Some(1), None)
    );
}

#[test]
fn a_file_that_is_no_database_is_moved_aside() {
    let dir = TestDir::new();
    for text in [
        "not a database, but long enough to be taken for a header of one ".repeat(40),
        "short".to_owned(),
    ] {
        fs::write(dir.file(""), &text).unwrap();
        let mut history = dir.open();
        history.record(&key("a"), &measurement(1, 1)).unwrap();
        assert_eq!(loads(&history, "a"), Some(1));
        assert_eq!(fs::read_to_string(dir.file(".broken")).unwrap(), text);
        drop(history);
        for end in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(dir.file(end));
        }
    }
}

#[test]
fn a_damaged_database_is_moved_aside() {
    let dir = TestDir::new();
    let mut history = dir.open();
    for number in 0..200 {
        history
            .record(&key(&number.to_string()), &measurement(1, 1))
            .unwrap();
    }
    drop(history);
    let mut bytes = fs::read(dir.file("")).unwrap();
    assert!(bytes.len() > 12_000);
    bytes[4096..].fill(0x5a);
    fs::write(dir.file(""), &bytes).unwrap();
    assert_eq!(count(&dir.open()), 0);
    assert!(dir.file(".broken").exists());
}

#[test]
fn a_database_of_somebody_else_is_moved_aside() {
    for table in ["lessons (x)", "lessons (file, arguments, engine)"] {
        for version in [0, 1] {
            let dir = TestDir::new();
            let raw = dir.raw();
            raw.execute_batch(&format!(
                "CREATE TABLE {table}; PRAGMA user_version = {version}"
            ))
            .unwrap();
            drop(raw);
            assert_eq!(count(&dir.open()), 0, "{table} {version}");
            assert!(dir.file(".broken").exists(), "{table} {version}");
        }
    }
}

#[test]
fn a_later_version_is_moved_aside_whole() {
    for version in [2, i32::MAX, -1] {
        let dir = TestDir::new();
        let mut history = dir.open();
        history.record(&key("a"), &measurement(1, 1)).unwrap();
        drop(history);
        dir.raw()
            .pragma_update(None, "user_version", version)
            .unwrap();
        let history = dir.open();
        assert_eq!(loads(&history, "a"), None);
        let kept = Connection::open(dir.file(".newer")).unwrap();
        let rows: u32 = kept
            .query_row("SELECT count(*) FROM lessons", [], |row| row.get(0))
            .unwrap();
        assert_eq!(rows, 1, "{version}");
    }
}

#[test]
fn a_place_that_cannot_be_written_is_said_in_words() {
    let dir = TestDir::new();
    fs::write(dir.0.path().join("file"), "").unwrap();
    let below = dir.0.path().join("file/state");
    let error = LoadHistory::open(&below, NOW).unwrap_err();
    assert!(matches!(
        error,
        LoadHistoryError::File(DatabaseError::Directory { .. })
    ));
    let words = error.to_string();
    assert!(
        words.contains("cannot create the state directory") && words.contains("file/state"),
        "{words}"
    );

    fs::create_dir(dir.file("")).unwrap();
    let error = LoadHistory::open(dir.0.path(), NOW).unwrap_err();
    assert!(matches!(
        error,
        LoadHistoryError::File(DatabaseError::Untrusted(_))
    ));
    let words = error.to_string();
    assert!(
        words.contains("learned.sqlite is not a regular file"),
        "{words}"
    );
}

#[cfg(unix)]
#[test]
fn a_new_directory_is_for_its_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = TestDir::new();
    let state = dir.0.path().join("a/b");
    let _learned = LoadHistory::open(&state, NOW).unwrap();
    let mode = fs::metadata(state).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn what_nobody_asks_for_is_forgotten() {
    let dir = TestDir::new();
    let mut history = dir.open();
    for name in ["asked for", "not"] {
        history.record(&key(name), &measurement(1, 1)).unwrap();
    }
    let later = NOW + 300 * DAY_SECONDS;
    assert!(history.lookup(&key("asked for"), later).unwrap().is_some());
    drop(history);
    let last = NOW + MAX_UNUSED_SECONDS;
    assert_eq!(count(&LoadHistory::open(dir.0.path(), last).unwrap()), 2);
    let history = LoadHistory::open(dir.0.path(), last + 1).unwrap();
    assert!(loads(&history, "asked for").is_some());
    assert_eq!(count(&history), 1);
}

#[test]
fn there_are_never_more_than_so_many() {
    let dir = TestDir::new();
    let mut history = LoadHistory::open_with(dir.0.path(), NOW, 5).unwrap();
    for number in 0..9 {
        let measurement = LoadMeasurement {
            measured_at: NOW + number,
            ..measurement(1, 1)
        };
        history
            .record(&key(&number.to_string()), &measurement)
            .unwrap();
    }
    assert_eq!(count(&history), 5);
    assert_eq!(loads(&history, "3"), None);
    assert_eq!(loads(&history, "4"), Some(1));
}

#[test]
fn two_processes_may_open_and_learn_at_once() {
    const EACH: u32 = 20;
    for beginning in ["", "broken"] {
        let dir = TestDir::new();
        fs::write(dir.file(""), beginning).unwrap();
        let begin = std::sync::Barrier::new(2);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    begin.wait();
                    let mut history = dir.open();
                    for _ in 0..EACH {
                        history.record(&key("a"), &measurement(1, 1)).unwrap();
                    }
                });
            }
        });
        assert_eq!(loads(&dir.open(), "a"), Some(2 * EACH), "{beginning}");
    }
}
