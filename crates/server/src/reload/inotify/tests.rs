use super::*;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use tempfile::TempDir;

/// A directory with a file that is watched.
struct Scene {
    directory: TempDir,
    touched: Touched,
}

impl Scene {
    fn new() -> Self {
        Self::of(|directory| fs::write(directory.join("p.toml"), "a").unwrap())
    }

    fn of(make: impl FnOnce(&Path)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        make(directory.path());
        let touched = Touched::watch(&directory.path().join("p.toml")).unwrap();
        Self { directory, touched }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Whether there is news of the file. The kernel has it as soon as the call has returned that made it.
    fn told(&mut self) -> bool {
        self.touched.read().unwrap()
    }

    /// Whether there is any news at all.
    fn woken(&self) -> bool {
        let mut buffer = vec![MaybeUninit::uninit(); NEWS];
        Reader::new(self.touched.news.get_ref(), &mut buffer)
            .next()
            .is_ok()
    }

    /// Writing in place is told of, whatever happened before: the inode is the one that is watched.
    fn assert_watches(&mut self) {
        fs::write(self.path("p.toml"), "in place").unwrap();
        assert!(self.told());
        assert!(!self.told());
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
    assert!(!scene.told());
    drop(file);
    assert!(scene.told());
    scene.assert_watches();
}

#[tokio::test]
async fn another_file_in_its_place_is_told_of() {
    let mut scene = Scene::new();
    for _ in 0..3 {
        fs::write(scene.path("new"), "b").unwrap();
        fs::rename(scene.path("new"), scene.path("p.toml")).unwrap();
        assert!(scene.told());
        scene.assert_watches();
    }
}

#[tokio::test]
async fn a_file_that_is_removed_and_made_anew_is_told_of() {
    let mut scene = Scene::new();
    fs::remove_file(scene.path("p.toml")).unwrap();
    scene.told();
    fs::write(scene.path("p.toml"), "b").unwrap();
    assert!(scene.told());
    scene.assert_watches();
}

#[tokio::test]
async fn a_file_that_is_moved_aside_and_made_anew_is_told_of() {
    let mut scene = Scene::new();
    fs::rename(scene.path("p.toml"), scene.path("p.toml~")).unwrap();
    let mut file = File::create_new(scene.path("p.toml")).unwrap();
    assert!(scene.told());
    file.write_all(b"b").unwrap();
    drop(file);
    assert!(scene.told());
    // The old one is not the file any more.
    fs::write(scene.path("p.toml~"), "c").unwrap();
    assert!(!scene.woken());
    scene.assert_watches();
}

#[tokio::test]
async fn a_link_that_leads_elsewhere_is_told_of() {
    // As Kubernetes updates a ConfigMap's volume.
    let mut scene = Scene::of(|directory| {
        for version in ["..1", "..2"] {
            fs::create_dir(directory.join(version)).unwrap();
            fs::write(directory.join(version).join("p.toml"), version).unwrap();
        }
        symlink("..1", directory.join("..data")).unwrap();
        symlink("..data/p.toml", directory.join("p.toml")).unwrap();
    });
    symlink("..2", scene.path("..data_tmp")).unwrap();
    fs::rename(scene.path("..data_tmp"), scene.path("..data")).unwrap();
    assert!(scene.told());
    fs::remove_dir_all(scene.path("..1")).unwrap();
    assert!(!scene.told());
    scene.assert_watches();
}

#[tokio::test]
async fn what_a_link_leads_to_is_watched_where_it_is() {
    let elsewhere = tempfile::tempdir().unwrap();
    let target = elsewhere.path().join("real.toml");
    fs::write(&target, "a").unwrap();
    let mut scene = Scene::of(|directory| symlink(&target, directory.join("p.toml")).unwrap());
    fs::write(&target, "b").unwrap();
    assert!(scene.told());
    fs::write(elsewhere.path().join("new"), "c").unwrap();
    fs::rename(elsewhere.path().join("new"), &target).unwrap();
    assert!(scene.told());
    scene.assert_watches();
}

#[tokio::test]
async fn nothing_is_told_of_what_is_written_beside_it() {
    let mut scene = Scene::new();
    fs::write(scene.path("log"), "").unwrap();
    assert!(!scene.told());
    for _ in 0..100 {
        let mut log = OpenOptions::new()
            .append(true)
            .open(scene.path("log"))
            .unwrap();
        log.write_all(b"a line\n").unwrap();
    }
    fs::read(scene.path("p.toml")).unwrap();
    fs::remove_file(scene.path("log")).unwrap();
    assert!(!scene.woken());
}

#[tokio::test]
async fn who_waits_is_woken() {
    let mut scene = Scene::new();
    let path = scene.path("p.toml");
    let waiting = scene.touched.next();
    let writing = async { fs::write(path, "b").unwrap() };
    let (told, ()) = tokio::join!(waiting, writing);
    told.unwrap();
}
