//! A disk that is too small.

use std::path::Path;
use std::process::Command;

use crate::support::{Q4_0, Scene, content};

/// A file system of 1 MiB in memory, which is unmounted on drop.
struct Tmpfs<'a>(&'a Path);

impl<'a> Tmpfs<'a> {
    /// Returns `None` if this process may not mount.
    fn mount(path: &'a Path) -> Option<Self> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
            .arg(path)
            .output();
        mounted.ok()?.status.success().then_some(Self(path))
    }
}

impl Drop for Tmpfs<'_> {
    fn drop(&mut self) {
        let _unmounted = Command::new("umount").arg("--lazy").arg(self.0).status();
    }
}

#[test]
fn a_disk_that_is_too_small_is_reported_before_the_first_byte() {
    let scene = Scene::new(&[
        ("m-Q4_0.gguf", content(31, 3 << 20)),
        ("m-Q8_0.gguf", content(32, 1 << 19)),
    ]);
    let home = scene.home.path().to_owned();
    let Some(_tmpfs) = Tmpfs::mount(&home) else {
        // Only root may mount a file system.
        return;
    };
    let outcome = scene
        .pull(&[Q4_0])
        .failed_with("has too little space: 3.0 MiB are needed");
    assert!(outcome.stderr.contains("; free 2."), "{outcome:?}");
    let url = format!(
        "{}/org/model-GGUF/resolve/main/m-Q4_0.gguf",
        scene.hub.endpoint()
    );
    scene.pull(&[&url]).failed_with("has too little space");
    // The server may have begun to send before the client left.
    assert!(scene.hub.bytes_sent() < 3 << 20);
    scene.assert_no_file();
    scene.pull(&["hf:org/model-GGUF:Q8_0"]).succeeded();
}
