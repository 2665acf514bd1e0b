//! Servers and connections that fail.

use std::time::Duration;

use paddock_e2e::harness::{LIMIT, Pid, Signal, now, wait_until};

use crate::support::{Q4_0, Scene, content, finish};

const MIB: usize = 1 << 20;

#[test]
fn a_file_arrives_in_pieces_over_several_connections() {
    let bytes = content(1, 6 * MIB + 12_345);
    let scene = Scene::new(&[("m-Q4_0.gguf", bytes.clone())]);
    let outcome = scene.pull(&[Q4_0]).succeeded();
    scene.assert_files(&[("m-Q4_0.gguf", &bytes)]);
    assert!(
        outcome.stdout.trim_end().ends_with("/m-Q4_0.gguf"),
        "{outcome:?}"
    );
    let ranges = scene.hub.cdn_requests();
    assert!(ranges.len() >= 6, "{ranges:?}");
    assert_eq!(scene.hub.bytes_sent(), bytes.len() as u64);
    // Neither a part nor its record is left.
    assert_eq!(scene.blob_names().len(), 1);
    // A second time, nothing is fetched.
    scene.pull(&[Q4_0]).succeeded();
    assert_eq!(scene.hub.bytes_sent(), bytes.len() as u64);
}

#[test]
fn cut_connections_are_continued_where_they_broke() {
    let bytes = content(2, 3 * MIB);
    let scene = Scene::new(&[("m-Q4_0.gguf", bytes.clone())]);
    scene
        .hub
        .behave(|hub| (hub.cuts, hub.cut_seed) = ((20, MIB), Some(5)));
    scene.pull(&[Q4_0]).succeeded();
    scene.assert_files(&[("m-Q4_0.gguf", &bytes)]);
    // The server may have sent bytes that a cut connection did not deliver.
    assert!(scene.hub.bytes_sent() < 2 * bytes.len() as u64);
}

#[test]
fn a_server_without_ranges_sends_the_file_again_after_a_cut() {
    let bytes = content(3, 2 * MIB);
    let scene = Scene::new(&[("m-Q4_0.gguf", bytes.clone())]);
    scene
        .hub
        .behave(|hub| (hub.has_ranges, hub.cuts) = (false, (2, MIB)));
    let outcome = scene.pull(&[Q4_0]).succeeded();
    scene.assert_files(&[("m-Q4_0.gguf", &bytes)]);
    assert!(outcome.stderr.contains("cannot resume"), "{outcome:?}");
    scene
        .hub
        .add_repo(crate::support::REPO, &[("m-Q4_0.gguf", content(4, MIB))]);
    scene.hub.behave(|hub| hub.cuts = (100, MIB / 2));
    scene.pull(&[Q4_0]).failed_with("was begun 6 times");
}

#[test]
fn a_wrong_byte_makes_the_file_be_fetched_again_once() {
    let bytes = content(5, 2 * MIB);
    let scene = Scene::new(&[("m-Q4_0.gguf", bytes.clone())]);
    scene.hub.behave(|hub| hub.wrong_answers = 1);
    scene.pull(&[Q4_0]).succeeded();
    scene.assert_files(&[("m-Q4_0.gguf", &bytes)]);
    let other = content(6, 2 * MIB);
    scene
        .hub
        .add_repo(crate::support::REPO, &[("m-Q4_0.gguf", other.clone())]);
    scene.hub.behave(|hub| hub.wrong_answers = 1000);
    let outcome = scene.pull(&[Q4_0]).failed_with("expected is");
    assert!(
        outcome
            .stderr
            .contains(&paddock_e2e::mirror::hub::sha256_hex(&other))
    );
    scene.assert_files(&[("m-Q4_0.gguf", &bytes)]);
    assert_eq!(
        scene.blob_names().len(),
        1,
        "nothing is kept of the wrong file"
    );
}

#[test]
fn a_pointer_in_place_of_the_file_is_an_error() {
    let scene = Scene::new(&[("m-Q4_0.gguf", content(7, MIB))]);
    scene.hub.behave(|hub| hub.sends_pointers = true);
    scene.pull(&[Q4_0]).failed_with("is a Git LFS pointer");
    scene.assert_no_file();
}

#[test]
fn pauses_that_the_server_asks_for_are_kept() {
    let bytes = content(8, MIB);
    let scene = Scene::new(&[("m-Q4_0.gguf", bytes.clone())]);
    for (status, retry_after, at_least) in [(429, Some(1), 1_000), (503, None, 250)] {
        scene
            .hub
            .behave(|hub| hub.refusals = (1, status, retry_after));
        let start = now();
        let outcome = scene.pull(&[Q4_0]).succeeded();
        assert!(
            start.elapsed() >= Duration::from_millis(at_least),
            "{status}"
        );
        assert_eq!(
            outcome.stderr.contains("retrying in 1s"),
            status == 429,
            "{outcome:?}"
        );
        scene.assert_files(&[("m-Q4_0.gguf", &bytes)]);
        std::fs::remove_dir_all(scene.cache()).unwrap();
    }
    scene.hub.behave(|hub| hub.refusals = (1, 429, Some(3_600)));
    scene.pull(&[Q4_0]).failed_with("429");
    scene.hub.behave(|hub| hub.refusals = (100, 503, None));
    scene.pull(&[Q4_0]).failed_with("503");
}

#[test]
fn a_slow_link_is_no_failure_and_an_interrupt_keeps_what_arrived() {
    let bytes = content(9, MIB / 2);
    let scene = Scene::new(&[("m-Q4_0.gguf", bytes.clone())]);
    scene
        .hub
        .behave(|hub| hub.pause = Some((1024, Duration::from_millis(2))));
    let child = scene.command(&[Q4_0]).spawn().unwrap();
    // What the hub has sent may still be in the buffers of the connections.
    wait_until(LIMIT, "half of the file on disk", || {
        scene.part_bytes() > bytes.len() as u64 / 2
    });
    Pid::find(i32::try_from(child.id()).unwrap())
        .unwrap()
        .signal(Signal::INT);
    let outcome = finish(child);
    assert_eq!(outcome.code, Some(130), "{outcome:?}");
    assert!(
        outcome.stderr.contains("the same command continues"),
        "{outcome:?}"
    );
    scene.assert_no_file();
    let before = scene.hub.bytes_sent();
    let outcome = scene.pull(&[Q4_0]).succeeded();
    assert!(outcome.stderr.contains("continuing at"), "{outcome:?}");
    scene.assert_files(&[("m-Q4_0.gguf", &bytes)]);
    assert!(scene.hub.bytes_sent() - before < bytes.len() as u64 / 2 + 65_536);
}
