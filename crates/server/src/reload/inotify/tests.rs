//! Changes a watched file in all the ways of editors and configuration management.

use super::*;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use tempfile::TempDir;

/// A directory with a file that is watched.
struct Scene {
    directory: TempDir,
    watcher: FileWatcher,
}

impl Scene {
    fn new() -> Self {
        Self::with_files(|directory| fs::write(directory.join("p.toml"), "a").unwrap())
    }

    fn with_files(make: impl FnOnce(&Path)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        make(directory.path());
        let watcher = FileWatcher::watch(&directory.path().join("p.toml")).unwrap();
        Self { directory, watcher }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Returns whether the file has changed. The kernel queues an event before the call that causes it returns.
    fn has_changed(&mut self) -> bool {
        self.watcher.read().unwrap()
    }

    /// Returns whether there is any event.
    fn has_event(&self) -> bool {
        let mut buffer = vec![MaybeUninit::uninit(); EVENT_BUFFER_SIZE];
        Reader::new(self.watcher.inotify.get_ref(), &mut buffer)
            .next()
            .is_ok()
    }

    /// Asserts that a write in place is reported: the watched inode is the current one.
    fn assert_watches(&mut self) {
        fs::write(self.path("p.toml"), "in place").unwrap();
        assert!(self.has_changed());
        assert!(!self.has_changed());
    }
}

#[tokio::test]
async fn what_is_written_in_place_is_told_of_when_it_is_done() {
    let mut scene = Scene::new();
    let mut file = OpenOptions::new()
        .append(true)
        .open(scene.path("p.toml"))
        .unwrap();
    file.write_all(b"half").unwrap();
    assert!(!scene.has_changed());
    drop(file);
    assert!(scene.has_changed());
    scene.assert_watches();
}

#[tokio::test]
async fn another_file_in_its_place_is_told_of() {
    let mut scene = Scene::new();
    for _ in 0..3 {
        fs::write(scene.path("new"), "b").unwrap();
        fs::rename(scene.path("new"), scene.path("p.toml")).unwrap();
        assert!(scene.has_changed());
        scene.assert_watches();
    }
}

#[tokio::test]
async fn a_file_that_is_removed_and_made_anew_is_told_of() {
    let mut scene = Scene::new();
    fs::remove_file(scene.path("p.toml")).unwrap();
    scene.has_changed();
    fs::write(scene.path("p.toml"), "b").unwrap();
    assert!(scene.has_changed());
    scene.assert_watches();
}

#[tokio::test]
async fn a_file_that_is_moved_aside_and_made_anew_is_told_of() {
    let mut scene = Scene::new();
    fs::rename(scene.path("p.toml"), scene.path("p.toml~")).unwrap();
    let mut file = File::create_new(scene.path("p.toml")).unwrap();
    assert!(scene.has_changed());
    file.write_all(b"b").unwrap();
    drop(file);
    assert!(scene.has_changed());
    // The old one is not the file any more.
    fs::write(scene.path("p.toml~"), "c").unwrap();
    assert!(!scene.has_event());
    scene.assert_watches();
}

#[tokio::test]
async fn a_link_that_leads_elsewhere_is_told_of() {
    // As Kubernetes updates a ConfigMap's volume.
    let mut scene = Scene::with_files(|directory| {
        for version in ["..1", "..2"] {
            fs::create_dir(directory.join(version)).unwrap();
            fs::write(directory.join(version).join("p.toml"), version).unwrap();
        }
        symlink("..1", directory.join("..data")).unwrap();
        symlink("..data/p.toml", directory.join("p.toml")).unwrap();
    });
    symlink("..2", scene.path("..data_tmp")).unwrap();
    fs::rename(scene.path("..data_tmp"), scene.path("..data")).unwrap();
    assert!(scene.has_changed());
    fs::remove_dir_all(scene.path("..1")).unwrap();
    assert!(!scene.has_changed());
    scene.assert_watches();
}

#[tokio::test]
async fn what_a_link_leads_to_is_watched_where_it_is() {
    let elsewhere = tempfile::tempdir().unwrap();
    let target = elsewhere.path().join("real.toml");
    fs::write(&target, "a").unwrap();
    let mut scene =
        Scene::with_files(|directory| symlink(&target, directory.join("p.toml")).unwrap());
    fs::write(&target, "b").unwrap();
    assert!(scene.has_changed());
    fs::write(elsewhere.path().join("new"), "c").unwrap();
    fs::rename(elsewhere.path().join("new"), &target).unwrap();
    assert!(scene.has_changed());
    scene.assert_watches();
}

#[tokio::test]
async fn nothing_is_told_of_what_is_written_beside_it() {
    let mut scene = Scene::new();
    fs::write(scene.path("log"), "").unwrap();
    assert!(!scene.has_changed());
    for _ in 0..100 {
        let mut log = OpenOptions::new()
            .append(true)
            .open(scene.path("log"))
            .unwrap();
        log.write_all(b"a line\n").unwrap();
    }
    fs::read(scene.path("p.toml")).unwrap();
    fs::remove_file(scene.path("log")).unwrap();
    assert!(!scene.has_event());
}

#[tokio::test]
async fn who_waits_is_woken() {
    let mut scene = Scene::new();
    let path = scene.path("p.toml");
    let waiting = scene.watcher.next();
    let writing = async { fs::write(path, "b").unwrap() };
    let (result, ()) = tokio::join!(waiting, writing);
    result.unwrap();
}
