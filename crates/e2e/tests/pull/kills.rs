//! SIGKILL at random moments, and random cuts besides: the file is right or absent, and the record claims no byte that
//! is not on disk.

use std::fs;
use std::time::Duration;

use paddock_e2e::harness::{LIMIT, wait_until};
use serde_json::Value;

use crate::support::{Q4_0, Scene, content};

const KILLS: usize = 100;
const SEED: u64 = 11;

#[test]
fn a_file_is_right_or_absent_after_each_of_100_kills() {
    let mut rng = fastrand::Rng::with_seed(SEED);
    let bytes = content(SEED, 6 << 20);
    let scene = Scene::new(&[("m-Q4_0.gguf", bytes.clone())]);
    scene.hub.behave(|hub| {
        (hub.cuts, hub.cut_seed) = ((usize::MAX, 400_000), Some(SEED));
        hub.pause = Some((8 << 10, Duration::from_micros(200)));
    });
    let (mut finished, mut furthest) = (0, 0);
    for kill in 0..KILLS {
        let mut child = scene.command(&[Q4_0]).spawn().unwrap();
        let goal = scene.hub.bytes_sent() + rng.u64(0..400_000);
        wait_until(LIMIT, "bytes or the end", || {
            scene.hub.bytes_sent() >= goal || child.try_wait().unwrap().is_some()
        });
        child.kill().unwrap();
        child.wait().unwrap();
        if scene.blob(&bytes).exists() {
            assert!(
                fs::read(scene.blob(&bytes)).unwrap() == bytes,
                "kill {kill}: a wrong file"
            );
            fs::remove_dir_all(scene.cache()).unwrap();
            finished += 1;
        } else {
            scene.assert_no_file();
            furthest = furthest.max(check_record(&scene, &bytes, kill));
        }
    }
    assert!(
        finished > 0 || furthest > bytes.len() as u64 / 2,
        "kills lose what arrived: {furthest}"
    );
    scene.hub.behave(|hub| hub.cuts = (0, 0));
    scene.pull(&[Q4_0]).succeeded();
    scene.assert_files(&[("m-Q4_0.gguf", &bytes)]);
}

/// Checks that all bytes that the record claims are on disk, and returns their number.
fn check_record(scene: &Scene, bytes: &[u8], kill: usize) -> u64 {
    let part = scene.blob(bytes).with_extension("part");
    let Ok(record) = fs::read(part.with_extension("part.json")) else {
        return 0;
    };
    let record: Value = serde_json::from_slice(&record).unwrap();
    let on_disk = fs::read(part).unwrap();
    let ranges = record["complete"].as_array().unwrap().iter();
    let ranges = ranges.map(|range| {
        let end = |index: usize| usize::try_from(range[index].as_u64().unwrap()).unwrap();
        let range = end(0)..end(1);
        assert!(
            on_disk[range.clone()] == bytes[range.clone()],
            "kill {kill}: {range:?} is wrong"
        );
        range.len() as u64
    });
    ranges.sum()
}
