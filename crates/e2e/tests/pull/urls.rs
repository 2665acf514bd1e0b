//! Model files from URLs, of which neither size nor digest is known beforehand.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use paddock_e2e::harness::{LIMIT, Pid, Signal, wait_until};

use crate::support::{REPO, Scene, content, finish, names};

fn url(scene: &Scene, file: &str) -> String {
    format!("{}/{REPO}/resolve/main/{file}", scene.hub.endpoint())
}

/// Returns the directory of the downloaded files.
fn directory(scene: &Scene) -> PathBuf {
    let host = scene
        .hub
        .endpoint()
        .replace("http://", "")
        .replace(':', "_");
    let own = scene.home.path().join(".local/share/paddock/models");
    own.join(host).join(REPO).join("resolve/main")
}

#[test]
fn a_split_model_is_fetched_with_its_parts() {
    let parts = [content(61, 3 << 20), content(62, 5000)];
    let files = ["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"];
    let scene = Scene::new(&[(files[0], parts[0].clone()), (files[1], parts[1].clone())]);
    for _ in 0..2 {
        let outcome = scene.pull(&[&url(&scene, files[0])]).succeeded();
        assert_eq!(outcome.stdout.lines().count(), 2, "{outcome:?}");
    }
    assert_eq!(
        scene.hub.bytes_sent(),
        (parts[0].len() + parts[1].len()) as u64
    );
    for (file, bytes) in files.iter().zip(&parts) {
        assert!(
            fs::read(directory(&scene).join(file)).unwrap() == *bytes,
            "{file}"
        );
    }
    let names = names(&directory(&scene));
    assert_eq!(names.len(), 4, "two files and two records: {names:?}");
}

#[test]
fn a_server_without_lengths_or_ranges_is_handled() {
    let bytes = content(63, 1 << 20);
    let scene = Scene::new(&[("m.gguf", bytes.clone())]);
    scene
        .hub
        .behave(|hub| (hub.has_ranges, hub.has_length) = (false, false));
    scene
        .pull(&[&url(&scene, "m.gguf")])
        .failed_with("does not state the file's size");
    scene.hub.behave(|hub| hub.has_length = true);
    scene.pull(&[&url(&scene, "m.gguf")]).succeeded();
    assert!(fs::read(directory(&scene).join("m.gguf")).unwrap() == bytes);
}

#[test]
fn a_pointer_is_recognized_without_knowing_the_size() {
    let scene = Scene::new(&[("m.gguf", content(64, 1 << 20))]);
    scene.hub.behave(|hub| hub.sends_pointers = true);
    scene
        .pull(&[&url(&scene, "m.gguf")])
        .failed_with("is a Git LFS pointer");
    assert_eq!(names(&directory(&scene)), [""; 0], "nothing is left");
}

#[test]
fn a_file_that_changes_between_two_attempts_begins_again() {
    let old = content(65, 1 << 20);
    let scene = Scene::new(&[("m.gguf", old.clone())]);
    let slow = Some((4096, Duration::from_millis(5)));
    scene.hub.behave(|hub| hub.pause = slow);
    let child = scene.command(&[&url(&scene, "m.gguf")]).spawn().unwrap();
    wait_until(LIMIT, "some bytes", || scene.hub.bytes_sent() > 200_000);
    Pid::find(i32::try_from(child.id()).unwrap())
        .unwrap()
        .signal(Signal::INT);
    assert_eq!(finish(child).code, Some(130));
    // Of the same size, so that only the ETag shows the change.
    let new = content(66, old.len());
    scene.hub.add_repo(REPO, &[("m.gguf", new.clone())]);
    scene
        .hub
        .behave(|hub| (hub.pause, hub.etag) = (None, "\"second\"".to_owned()));
    let outcome = scene.pull(&[&url(&scene, "m.gguf")]).succeeded();
    assert!(
        outcome.stderr.contains("has changed; starting again"),
        "{outcome:?}"
    );
    assert!(fs::read(directory(&scene).join("m.gguf")).unwrap() == new);
}

#[test]
fn the_target_of_a_redirect_must_be_acceptable() {
    let scene = Scene::new(&[("m.gguf", content(67, 1000))]);
    scene
        .hub
        .behave(|hub| hub.locations = ["file:///etc/passwd".to_owned()].into());
    scene
        .pull(&[&url(&scene, "m.gguf")])
        .failed_with("not http or https");
    let here = url(&scene, "m.gguf");
    scene
        .hub
        .behave(|hub| hub.locations = vec![here; 20].into());
    scene
        .pull(&[&url(&scene, "m.gguf")])
        .failed_with("redirects more than 10 times");
}

#[test]
fn a_file_of_another_query_is_fetched_again() {
    let scene = Scene::new(&[("m.gguf", content(68, 1000))]);
    let file = directory(&scene).join("m.gguf");
    for (revision, seed) in [(1, 68), (2, 69), (2, 69)] {
        let bytes = content(seed, 1000);
        scene.hub.add_repo(REPO, &[("m.gguf", bytes.clone())]);
        let url = url(&scene, &format!("m.gguf?rev={revision}"));
        scene.pull(&[&url]).succeeded();
        assert!(fs::read(&file).unwrap() == bytes, "{url}");
    }
    assert_eq!(scene.hub.bytes_sent(), 2000, "the third time, nothing");
}

#[test]
fn a_page_of_a_website_is_not_kept() {
    let page = b"<html>Please log in</html>".to_vec();
    let scene = Scene::new(&[("m.gguf", page)]);
    scene
        .pull(&[&url(&scene, "m.gguf")])
        .failed_with("is not a model file");
    assert_eq!(names(&directory(&scene)), [""; 0], "nothing is left");
}
