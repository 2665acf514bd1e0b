use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::super::{ArgumentsHash, FileIdentity};
use super::*;
use paddock_telemetry::database::DatabaseError;

/// Some day.
const NOW: u64 = 1_800_000_000;

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, end: &str) -> PathBuf {
        self.0.path().join(format!("learned.sqlite{end}"))
    }

    fn open(&self) -> Learned {
        Learned::open(self.0.path(), NOW).unwrap()
    }

    /// A connection of somebody else.
    fn raw(&self) -> Connection {
        Connection::open(self.file("")).unwrap()
    }
}

fn key(name: &str) -> Key {
    Key {
        file: FileIdentity::of(&[]).unwrap(),
        arguments: ArgumentsHash::of([name]),
        engine: FileIdentity::of(&[]).unwrap(),
    }
}

fn lesson(host: u64, seconds: u64) -> Lesson {
    Lesson {
        reported: Some(Memory {
            host,
            devices: [("CUDA0".to_owned(), 2 * host)].into(),
        }),
        observed: None,
        load: Duration::from_secs(seconds),
        context: Some(8192),
        loads: 0,
        at: NOW,
    }
}

fn loads(learned: &Learned, name: &str) -> Option<u32> {
    Some(learned.recall(&key(name), NOW).unwrap()?.loads)
}

fn count(learned: &Learned) -> u32 {
    let count = "SELECT count(*) FROM lessons";
    learned
        .connection
        .query_row(count, [], |row| row.get(0))
        .unwrap()
}

#[test]
fn a_lesson_comes_back_as_it_was_given() {
    let place = Place::new();
    let mut learned = place.open();
    assert_eq!(learned.recall(&key("a"), NOW).unwrap(), None);
    let given = Lesson {
        observed: Some(Memory::default()),
        load: Duration::from_micros(1_234_567),
        ..lesson(u64::MAX / 4, 0)
    };
    learned.learn(&key("a"), &given).unwrap();
    drop(learned);
    let want = Lesson { loads: 1, ..given };
    assert_eq!(place.open().recall(&key("a"), NOW).unwrap(), Some(want));
}

#[test]
fn loads_of_one_kind_become_one_lesson() {
    let place = Place::new();
    let mut learned = place.open();
    for seconds in [8, 4, 1] {
        learned
            .learn(&key("a"), &lesson(100 + seconds, seconds))
            .unwrap();
    }
    learned.learn(&key("b"), &lesson(7, 7)).unwrap();
    let taught = learned.recall(&key("a"), NOW).unwrap().unwrap();
    assert_eq!(taught.loads, 3);
    // (8 + 4) / 2 = 6, (6 + 1) / 2 = 3.5
    assert_eq!(taught.load, Duration::from_millis(3500));
    assert_eq!(taught.memory().host, 101);
    assert_eq!(loads(&learned, "b"), Some(1));
}

#[test]
fn each_part_of_the_key_counts() {
    let place = Place::new();
    let mut learned = place.open();
    let other = FileIdentity::of(&[std::env::temp_dir()]).unwrap();
    learned.learn(&key("a"), &lesson(1, 1)).unwrap();
    for wrong in [
        key("b"),
        Key {
            file: other.clone(),
            ..key("a")
        },
        Key {
            engine: other.clone(),
            ..key("a")
        },
    ] {
        assert_eq!(learned.recall(&wrong, NOW).unwrap(), None);
    }
}

#[test]
fn what_was_written_is_there_after_a_kill() {
    let place = Place::new();
    let mut learned = place.open();
    let after_kill = Place::new();
    for number in 0..20 {
        learned.learn(&key("a"), &lesson(1, 1)).unwrap();
        // The files as a SIGKILL would leave them here: nothing is closed, nothing moved out of the log.
        for end in ["", "-wal"] {
            fs::copy(place.file(end), after_kill.file(end)).unwrap();
        }
        let _ = fs::remove_file(after_kill.file("-shm"));
        assert_eq!(loads(&after_kill.open(), "a"), Some(number + 1));
    }
}

#[test]
fn a_write_cut_short_costs_that_lesson_alone() {
    let place = Place::new();
    let mut learned = place.open();
    for name in ["a", "b"] {
        learned.learn(&key(name), &lesson(1, 1)).unwrap();
    }
    let wal = fs::read(place.file("-wal")).unwrap();
    let after_kill = Place::new();
    fs::copy(place.file(""), after_kill.file("")).unwrap();
    fs::write(after_kill.file("-wal"), &wal[..wal.len() - 100]).unwrap();
    let reopened = after_kill.open();
    assert_eq!(
        (loads(&reopened, "a"), loads(&reopened, "b")),
        (Some(1), None)
    );
}

#[test]
fn a_file_that_is_no_database_is_moved_aside() {
    let place = Place::new();
    for text in [
        "not a database, but long enough to be taken for a header of one ".repeat(40),
        "short".to_owned(),
    ] {
        fs::write(place.file(""), &text).unwrap();
        let mut learned = place.open();
        learned.learn(&key("a"), &lesson(1, 1)).unwrap();
        assert_eq!(loads(&learned, "a"), Some(1));
        assert_eq!(fs::read_to_string(place.file(".broken")).unwrap(), text);
        drop(learned);
        for end in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(place.file(end));
        }
    }
}

#[test]
fn a_damaged_database_is_moved_aside() {
    let place = Place::new();
    let mut learned = place.open();
    for number in 0..200 {
        learned
            .learn(&key(&number.to_string()), &lesson(1, 1))
            .unwrap();
    }
    drop(learned);
    let mut bytes = fs::read(place.file("")).unwrap();
    assert!(bytes.len() > 12_000);
    bytes[4096..].fill(0x5a);
    fs::write(place.file(""), &bytes).unwrap();
    assert_eq!(count(&place.open()), 0);
    assert!(place.file(".broken").exists());
}

#[test]
fn a_database_of_somebody_else_is_moved_aside() {
    for table in ["lessons (x)", "lessons (file, arguments, engine)"] {
        for version in [0, 1] {
            let place = Place::new();
            let raw = place.raw();
            raw.execute_batch(&format!(
                "CREATE TABLE {table}; PRAGMA user_version = {version}"
            ))
            .unwrap();
            drop(raw);
            assert_eq!(count(&place.open()), 0, "{table} {version}");
            assert!(place.file(".broken").exists(), "{table} {version}");
        }
    }
}

#[test]
fn a_later_version_is_moved_aside_whole() {
    for version in [2, i32::MAX, -1] {
        let place = Place::new();
        let mut learned = place.open();
        learned.learn(&key("a"), &lesson(1, 1)).unwrap();
        drop(learned);
        place
            .raw()
            .pragma_update(None, "user_version", version)
            .unwrap();
        let learned = place.open();
        assert_eq!(loads(&learned, "a"), None);
        let kept = Connection::open(place.file(".newer")).unwrap();
        let rows: u32 = kept
            .query_row("SELECT count(*) FROM lessons", [], |row| row.get(0))
            .unwrap();
        assert_eq!(rows, 1, "{version}");
    }
}

#[test]
fn a_place_that_cannot_be_written_is_said_in_words() {
    let place = Place::new();
    fs::write(place.0.path().join("file"), "").unwrap();
    let below = place.0.path().join("file/state");
    let error = Learned::open(&below, NOW).unwrap_err();
    assert!(matches!(
        error,
        LearnedError::File(DatabaseError::Directory { .. })
    ));
    let words = error.to_string();
    assert!(
        words.contains("cannot make the state directory") && words.contains("file/state"),
        "{words}"
    );

    fs::create_dir(place.file("")).unwrap();
    let error = Learned::open(place.0.path(), NOW).unwrap_err();
    assert!(matches!(
        error,
        LearnedError::File(DatabaseError::Untrusted(_))
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
    let place = Place::new();
    let state = place.0.path().join("a/b");
    let _learned = Learned::open(&state, NOW).unwrap();
    let mode = fs::metadata(state).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn what_nobody_asks_for_is_forgotten() {
    let place = Place::new();
    let mut learned = place.open();
    for name in ["asked for", "not"] {
        learned.learn(&key(name), &lesson(1, 1)).unwrap();
    }
    let later = NOW + 300 * DAY;
    assert!(learned.recall(&key("asked for"), later).unwrap().is_some());
    drop(learned);
    let last = NOW + UNUSED;
    assert_eq!(count(&Learned::open(place.0.path(), last).unwrap()), 2);
    let learned = Learned::open(place.0.path(), last + 1).unwrap();
    assert!(loads(&learned, "asked for").is_some());
    assert_eq!(count(&learned), 1);
}

#[test]
fn there_are_never_more_than_so_many() {
    let place = Place::new();
    let mut learned = Learned::open_with(place.0.path(), NOW, 5).unwrap();
    for number in 0..9 {
        let lesson = Lesson {
            at: NOW + number,
            ..lesson(1, 1)
        };
        learned.learn(&key(&number.to_string()), &lesson).unwrap();
    }
    assert_eq!(count(&learned), 5);
    assert_eq!(loads(&learned, "3"), None);
    assert_eq!(loads(&learned, "4"), Some(1));
}

#[test]
fn two_processes_may_open_and_learn_at_once() {
    const EACH: u32 = 20;
    for beginning in ["", "broken"] {
        let place = Place::new();
        fs::write(place.file(""), beginning).unwrap();
        let begin = std::sync::Barrier::new(2);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    begin.wait();
                    let mut learned = place.open();
                    for _ in 0..EACH {
                        learned.learn(&key("a"), &lesson(1, 1)).unwrap();
                    }
                });
            }
        });
        assert_eq!(loads(&place.open(), "a"), Some(2 * EACH), "{beginning}");
    }
}
