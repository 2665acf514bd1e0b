//! Records the configuration and the state of this version.

use std::fs;
use std::path::Path;

use paddock_e2e::harness::Signal;

use crate::support::{builder, chat, copy_privately, directory, unload};

/// Removes files that are useless to another process: secrets, locks, and empty logs of databases.
fn clean(directory: &Path) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            clean(&path);
        } else if ![".sqlite", ".slot"].iter().any(|end| name.ends_with(end)) {
            fs::remove_file(path).unwrap();
        }
    }
}

#[test]
#[ignore = "writes into the source; run it once for each release"]
fn record_this_version() {
    let version = directory().join(env!("CARGO_PKG_VERSION"));
    fs::create_dir_all(&version).unwrap();
    let builder = builder();
    let example = builder.run(["config", "example"]);
    assert_eq!(example.code, Some(0), "{example:?}");
    fs::write(version.join("paddock.toml"), example.stdout).unwrap();

    let mut paddock = builder.start();
    chat(&paddock);
    unload(&paddock);
    assert!(paddock.stop(Signal::TERM).success());
    let state = paddock.directory().join("state");
    clean(&state);
    copy_privately(&state, &version.join("state"));
}
