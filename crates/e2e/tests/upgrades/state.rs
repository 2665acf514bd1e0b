//! The state of an earlier version is read and continued.

use std::fs;
use std::path::Path;

use paddock_e2e::harness::{LIMIT, Paddock, Signal, wait_until};
use rusqlite::Connection;

use crate::support::{REQUEST_ID, builder, chat, contexts, copy_state, versions};

const LOAD_HISTORY: &str = "state/learned.sqlite";

/// A key and measurement of a load, as the load history stores them.
type Load = (String, String, String, i64);

fn loads(directory: &Path) -> Vec<Load> {
    let database = Connection::open(directory.join(LOAD_HISTORY)).unwrap();
    let mut rows = database
        .prepare("SELECT file, arguments, engine, loads FROM lessons")
        .unwrap();
    let rows = rows.query_map([], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

fn assert_nothing_was_moved_aside(paddock: &Paddock) {
    let lines = paddock.stderr().all();
    let refused = lines
        .iter()
        .find(|line| line.contains("moved it aside") || line.contains("\"level\":\"ERROR\""));
    assert_eq!(refused, None, "{lines:#?}");
}

#[test]
fn ended_requests_lifecycle_events_and_contexts_of_earlier_versions_are_listed() {
    for version in versions() {
        let builder = builder();
        copy_state(&version, builder.directory());
        let paddock = builder.start();

        let rows = paddock.admin_get("/api/requests").json();
        let row = &rows["requests"][0];
        assert_eq!(row["id"], REQUEST_ID, "{rows:#}");
        assert_eq!((&row["model"], &row["status"]), (&"m".into(), &200.into()));
        assert!(row["tokens"]["prompt"].as_u64() > Some(1000), "{row:#}");

        let events = paddock.admin_get("/api/lifecycle?model=m").json();
        let events = events["events"].as_array().unwrap();
        for expected in ["ready", "unloaded"] {
            let is_there = events.iter().any(|event| event["event"] == expected);
            assert!(is_there, "{expected}: {events:#?}");
        }

        wait_until(LIMIT, "the list of contexts", || {
            contexts(&paddock)["stored"] == 1
        });
        assert_nothing_was_moved_aside(&paddock);
    }
}

/// A load is recognised by the inodes of its files, which differ on each machine: the recorded row gets those of a load
/// here, and the next load is then added to it.
#[test]
fn the_load_history_of_earlier_versions_is_continued() {
    for version in versions() {
        let model = tempfile::tempdir().unwrap();
        let path = model.path().join("m.gguf");
        let start = |directory: Option<&Path>| {
            let builder = builder().model(&path);
            if let Some(earlier) = directory {
                fs::rename(earlier.join("state"), builder.directory().join("state")).unwrap();
            }
            builder.start()
        };
        fs::copy(builder().model_path(), &path).unwrap();
        let mut paddock = start(None);
        chat(&paddock);
        assert!(paddock.stop(Signal::TERM).success());
        let (file, arguments, engine, _) = loads(paddock.directory()).remove(0);

        let earlier = tempfile::tempdir().unwrap();
        copy_state(&version, earlier.path());
        let database = Connection::open(earlier.path().join(LOAD_HISTORY)).unwrap();
        let key = "UPDATE lessons SET file = ?1, arguments = ?2, engine = ?3, loads = 7";
        database.execute(key, [&file, &arguments, &engine]).unwrap();
        database.close().unwrap();

        let mut paddock = start(Some(earlier.path()));
        chat(&paddock);
        assert!(paddock.stop(Signal::TERM).success());
        assert_nothing_was_moved_aside(&paddock);
        let expected = vec![(file, arguments, engine, 8)];
        assert_eq!(loads(paddock.directory()), expected);
    }
}
