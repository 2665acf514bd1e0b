//! Several processes that want the same file.

use std::fs::{self, File};
use std::time::Duration;

use paddock_e2e::harness::{LIMIT, wait_until};
use paddock_e2e::mirror::hub::sha256_hex;
use rustix::fs::{FlockOperation, flock};

use crate::support::{Q4_0, Scene, content, finish};

#[test]
fn a_second_process_waits_and_fetches_nothing() {
    let bytes = content(21, 1 << 20);
    let scene = Scene::new(&[("m-Q4_0.gguf", bytes.clone())]);
    scene
        .hub
        .behave(|hub| hub.pause = Some((16 << 10, Duration::from_millis(10))));
    let first = scene.command(&[Q4_0]).spawn().unwrap();
    wait_until(LIMIT, "the first byte", || scene.hub.bytes_sent() > 0);
    let second = scene.command(&[Q4_0]).spawn().unwrap();
    let (first, second) = (finish(first).succeeded(), finish(second).succeeded());
    assert!(
        second.stderr.contains("waiting for another process"),
        "{second:?}"
    );
    assert!(second.stderr.contains("is on disk already"), "{second:?}");
    assert!(first.stderr.contains("downloaded"), "{first:?}");
    assert_eq!(scene.hub.bytes_sent(), bytes.len() as u64);
    scene.assert_files(&[("m-Q4_0.gguf", &bytes)]);
}

#[test]
fn pythons_huggingface_hub_is_waited_for_too() {
    let bytes = content(22, 1 << 20);
    let scene = Scene::new(&[("m-Q4_0.gguf", bytes.clone())]);
    // As huggingface_hub does while it downloads.
    let locks = scene
        .home
        .path()
        .join(".cache/huggingface/hub/.locks/models--org--model-GGUF");
    fs::create_dir_all(&locks).unwrap();
    let path = locks.join(format!("{}.lock", sha256_hex(&bytes)));
    let lock = File::create(&path).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    let child = scene.command(&["--json", Q4_0]).spawn().unwrap();
    wait_until(LIMIT, "the listing", || {
        !scene.hub.hub_requests().is_empty()
    });
    // What it has downloaded is taken.
    fs::create_dir_all(scene.cache().join("blobs")).unwrap();
    fs::write(scene.blob(&bytes), &bytes).unwrap();
    drop(lock);
    finish(child).succeeded();
    assert_eq!(scene.hub.bytes_sent(), 0);
    scene.assert_files(&[("m-Q4_0.gguf", &bytes)]);
    assert!(path.exists(), "filelock does not expect its file to vanish");
}
