//! A state directory that other users could write to, and what they put there.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use paddock_e2e::harness::{Paddock, PaddockBuilder};
use paddock_e2e::paddock;

/// The files of a state directory.
const FILES: [&str; 8] = [
    "lock",
    "key",
    "learned.sqlite",
    "learned.sqlite-wal",
    "learned.sqlite.lock",
    "activity.sqlite",
    "activity.sqlite-wal",
    "activity.sqlite.lock",
];

/// Makes a state directory that everyone may write to.
fn open_to_all(builder: &PaddockBuilder) -> PathBuf {
    let state = builder.directory().join("open");
    fs::create_dir(&state).expect("a directory");
    fs::set_permissions(&state, Permissions::from_mode(0o777)).expect("permissions");
    state
}

/// Starts with a state directory, and sees to it that requests are answered.
fn serve(builder: PaddockBuilder, state: &Path) -> Paddock {
    let paddock = builder
        .config(&format!("server.state_dir = {:?}", state.display()))
        .start();
    paddock.wait_ready();
    assert_eq!(paddock.get("/v1/models").status, 200);
    paddock
}

#[test]
fn a_directory_that_was_open_to_all_is_closed_and_used() {
    let builder = paddock!();
    let state = open_to_all(&builder);
    let paddock = serve(builder, &state);
    let mode = fs::metadata(&state).expect("the directory").permissions();
    assert_eq!(mode.mode() & 0o777, 0o700);
    assert!(state.join("key").exists());
    let said = paddock.stderr().all().join("\n");
    assert!(said.contains("removed their access"), "{said}");
}

#[test]
fn links_to_elsewhere_are_not_followed() {
    let builder = paddock!();
    let state = open_to_all(&builder);
    let victims = tempfile::tempdir().expect("a directory");
    for name in FILES {
        let victim = victims.path().join(name);
        fs::write(&victim, "precious").expect("a file");
        symlink(&victim, state.join(name)).expect("a link");
    }
    let paddock = serve(builder, &state);
    for name in FILES {
        let kept = fs::read_to_string(victims.path().join(name)).expect("the file");
        assert_eq!(kept, "precious", "{name}");
    }
    let said = paddock.stderr().all().join("\n");
    assert!(said.contains("lock is a symbolic link"), "{said}");
}

#[test]
fn four_names_of_one_file_do_not_hang_the_start() {
    let builder = paddock!();
    let state = open_to_all(&builder);
    let [first, others @ ..] = ["lock", "key", "learned.sqlite.lock", "activity.sqlite.lock"];
    fs::write(state.join(first), "").expect("a file");
    for other in others {
        fs::hard_link(state.join(first), state.join(other)).expect("a name");
    }
    let paddock = serve(builder, &state);
    let said = paddock.stderr().all().join("\n");
    assert!(said.contains("lock has 4 hard links"), "{said}");
}
