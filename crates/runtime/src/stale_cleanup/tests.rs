//! Tests of the cleanup with real directories and processes.

use super::*;
use crate::runtime_dir::RuntimeDir;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A parent directory with the runtime directory of a killed paddock.
struct Scene {
    parent: TempDir,
    key: SigningKey,
    left: PathBuf,
    run: RunId,
}

fn key() -> SigningKey {
    SigningKey::load_or_create(tempfile::tempdir().unwrap().path()).unwrap()
}

/// Creates a runtime directory as a killed paddock leaves it: unlocked.
fn leave(parent: &Path, key: &SigningKey) -> (PathBuf, RunId) {
    let made = RuntimeDir::create(parent, Some(key)).unwrap();
    let other = parent.join(made.path().file_name().unwrap());
    let run = made.run().clone();
    let record = fs::read(made.path().join("record")).unwrap();
    made.close().unwrap();
    fs::create_dir(&other).unwrap();
    fs::set_permissions(&other, fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(other.join("record"), record).unwrap();
    fs::create_dir(other.join("m-1")).unwrap();
    fs::write(other.join("m-1/s.sock"), "").unwrap();
    (other, run)
}

fn scene() -> Scene {
    let parent = tempfile::tempdir().unwrap();
    let key = key();
    let (left, run) = leave(parent.path(), &key);
    Scene {
        parent,
        key,
        left,
        run,
    }
}

/// Starts a process with only this variable in its environment.
fn cat(variable: &str, value: &str) -> Child {
    let mut command = Command::new("/bin/cat");
    command.env_clear().env(variable, value);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Before exec the child is a copy of this process, including the environment.
    child.stdin.as_ref().unwrap().write_all(b"\n").unwrap();
    let answer = child.stdout.as_mut().unwrap();
    answer.read_exact(&mut [0]).unwrap();
    child
}

fn end(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_directory_and_the_processes_of_its_run_go() {
    let scene = scene();
    let mut ours = cat(RUN_VARIABLE, scene.run.as_str());
    let report = remove_stale_state(scene.parent.path(), &scene.key);
    assert_eq!(report.directories, std::slice::from_ref(&scene.left));
    assert_eq!(report.processes, [i32::try_from(ours.id()).unwrap()]);
    assert!(!scene.left.exists());
    assert!(ours.try_wait().unwrap().is_some());
    assert_eq!(
        remove_stale_state(scene.parent.path(), &scene.key),
        CleanupReport::default()
    );
}

#[test]
fn processes_that_only_look_alike_live_on() {
    let scene = scene();
    let others = [
        cat("OTHER", scene.run.as_str()),
        cat(RUN_VARIABLE, &format!("{}0", scene.run.as_str())),
        cat("X", &format!("{RUN_VARIABLE}={}", scene.run.as_str())),
        cat(RUN_VARIABLE, ""),
    ];
    let report = remove_stale_state(scene.parent.path(), &scene.key);
    assert_eq!(report.processes, [0; 0]);
    for mut other in others {
        assert_eq!(other.try_wait().unwrap(), None);
        end(other);
    }
}

#[test]
fn a_directory_whose_paddock_lives_stays() {
    let parent = tempfile::tempdir().unwrap();
    let key = key();
    let lives = RuntimeDir::create(parent.path(), Some(&key)).unwrap();
    let child = cat(RUN_VARIABLE, lives.run().as_str());
    assert_eq!(
        remove_stale_state(parent.path(), &key),
        CleanupReport::default()
    );
    assert!(lives.path().exists());
    end(child);
}

#[test]
fn what_was_not_signed_here_stays_with_its_processes() {
    let scene = scene();
    let child = cat(RUN_VARIABLE, scene.run.as_str());
    assert_eq!(
        remove_stale_state(scene.parent.path(), &key()),
        CleanupReport::default()
    );
    assert!(scene.left.exists());
    end(child);
}

#[test]
fn a_directory_that_others_could_write_to_stays() {
    let scene = scene();
    for mode in [0o770, 0o707, 0o701] {
        fs::set_permissions(&scene.left, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(
            remove_stale_state(scene.parent.path(), &scene.key),
            CleanupReport::default()
        );
    }
}

#[test]
fn a_link_and_another_name_stay() {
    let scene = scene();
    let elsewhere = scene.parent.path().join("elsewhere");
    fs::rename(&scene.left, &elsewhere).unwrap();
    assert_eq!(
        remove_stale_state(scene.parent.path(), &scene.key),
        CleanupReport::default()
    );
    std::os::unix::fs::symlink(&elsewhere, &scene.left).unwrap();
    assert_eq!(
        remove_stale_state(scene.parent.path(), &scene.key),
        CleanupReport::default()
    );
    assert!(elsewhere.exists());
}

#[test]
fn every_abandoned_directory_goes_in_one_sweep() {
    let scene = scene();
    let (other, _) = leave(scene.parent.path(), &scene.key);
    let mut report = remove_stale_state(scene.parent.path(), &scene.key).directories;
    report.sort();
    let mut expected = [scene.left, other];
    expected.sort();
    assert_eq!(report, expected);
}

#[test]
fn a_place_that_is_not_there_is_swept_in_vain() {
    let scene = scene();
    let nowhere = scene.parent.path().join("nowhere");
    assert_eq!(
        remove_stale_state(&nowhere, &scene.key),
        CleanupReport::default()
    );
}

#[test]
fn a_runtime_directory_has_the_prefix_in_its_name() {
    for (name, expected) in [
        ("paddock-x", true),
        ("paddock-", true),
        ("paddock", false),
        ("other-paddock-x", false),
    ] {
        assert_eq!(has_runtime_dir_name(OsStr::new(name)), expected, "{name}");
    }
}

#[test]
fn a_private_directory_is_open_to_its_owner_alone() {
    // The type of the file is in the mode's upper bits.
    let (directory, mode) = (0o40_000, 0o700);
    for (is_directory, owner, mode, expected) in [
        (true, 1000, directory | mode, true),
        (false, 1000, mode, false),
        (true, 0, directory | mode, false),
        (true, 1000, directory | 0o710, false),
        (true, 1000, directory | 0o701, false),
        (true, 1000, directory | 0o500, false),
    ] {
        let facts = EntryFacts {
            is_directory,
            owner,
            mode,
        };
        assert_eq!(facts.is_private_dir_of(1000), expected, "{facts:?}");
    }
}
