use super::*;
use crate::runtime_dir::RuntimeDir;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A place with the runtime directory of a paddock that was cut off.
struct Scene {
    place: TempDir,
    key: Key,
    left: PathBuf,
    run: Run,
}

fn key() -> Key {
    Key::of(tempfile::tempdir().unwrap().path()).unwrap()
}

/// Makes a runtime directory as a killed paddock leaves it: nobody has it locked.
fn leave(place: &Path, key: &Key) -> (PathBuf, Run) {
    let made = RuntimeDir::make(place, Some(key)).unwrap();
    let other = place.join(made.path().file_name().unwrap());
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
    let place = tempfile::tempdir().unwrap();
    let key = key();
    let (left, run) = leave(place.path(), &key);
    Scene {
        place,
        key,
        left,
        run,
    }
}

/// A process with a variable in its environment, and no other.
fn cat(variable: &str, value: &str) -> Child {
    let mut command = Command::new("/bin/cat");
    command.env_clear().env(variable, value);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Until it is that program, it is a copy of this process, environment and all.
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
    let swept = sweep(scene.place.path(), &scene.key);
    assert_eq!(swept.directories, std::slice::from_ref(&scene.left));
    assert_eq!(swept.processes, [i32::try_from(ours.id()).unwrap()]);
    assert!(!scene.left.exists());
    assert!(ours.try_wait().unwrap().is_some());
    assert_eq!(sweep(scene.place.path(), &scene.key), Swept::default());
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
    let swept = sweep(scene.place.path(), &scene.key);
    assert_eq!(swept.processes, [0; 0]);
    for mut other in others {
        assert_eq!(other.try_wait().unwrap(), None);
        end(other);
    }
}

#[test]
fn a_directory_whose_paddock_lives_stays() {
    let place = tempfile::tempdir().unwrap();
    let key = key();
    let lives = RuntimeDir::make(place.path(), Some(&key)).unwrap();
    let child = cat(RUN_VARIABLE, lives.run().as_str());
    assert_eq!(sweep(place.path(), &key), Swept::default());
    assert!(lives.path().exists());
    end(child);
}

#[test]
fn what_was_not_signed_here_stays_with_its_processes() {
    let scene = scene();
    let child = cat(RUN_VARIABLE, scene.run.as_str());
    assert_eq!(sweep(scene.place.path(), &key()), Swept::default());
    assert!(scene.left.exists());
    end(child);
}

#[test]
fn a_directory_that_others_could_write_to_stays() {
    let scene = scene();
    for mode in [0o770, 0o707, 0o701] {
        fs::set_permissions(&scene.left, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(sweep(scene.place.path(), &scene.key), Swept::default());
    }
}

#[test]
fn a_link_and_another_name_stay() {
    let scene = scene();
    let elsewhere = scene.place.path().join("elsewhere");
    fs::rename(&scene.left, &elsewhere).unwrap();
    assert_eq!(sweep(scene.place.path(), &scene.key), Swept::default());
    std::os::unix::fs::symlink(&elsewhere, &scene.left).unwrap();
    assert_eq!(sweep(scene.place.path(), &scene.key), Swept::default());
    assert!(elsewhere.exists());
}

#[test]
fn every_abandoned_directory_goes_in_one_sweep() {
    let scene = scene();
    let (other, _) = leave(scene.place.path(), &scene.key);
    let mut swept = sweep(scene.place.path(), &scene.key).directories;
    swept.sort();
    let mut expected = [scene.left, other];
    expected.sort();
    assert_eq!(swept, expected);
}

#[test]
fn a_place_that_is_not_there_is_swept_in_vain() {
    let scene = scene();
    let nowhere = scene.place.path().join("nowhere");
    assert_eq!(sweep(&nowhere, &scene.key), Swept::default());
}
