//! With a full disk, requests are answered and the store keeps its contexts.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::process::Command;

use serde_json::json;

use crate::answer::Completes;
use crate::support::{SavedState, ask, assert_no_crash, context_count, store, swap_to, text};

/// A file system in memory, which is unmounted on drop.
struct Tmpfs(PathBuf);

impl Tmpfs {
    /// Mounts a file system of 20 MiB. Returns `None` if this process may not mount.
    fn mount(path: PathBuf) -> Option<Self> {
        fs::DirBuilder::new().mode(0o700).create(&path).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=20m,mode=0700", "tmpfs"])
            .arg(&path)
            .output();
        mounted.ok()?.status.success().then_some(Self(path))
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Unmounts even if processes still use it.
        let _unmounted = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

const REQUESTS: usize = 100;

#[test]
fn a_full_disk_fails_no_request() {
    let state = SavedState::new();
    let tmpfs = Tmpfs::mount(store(state.directory()));
    let quota = match tmpfs {
        Some(_) => "8GiB",
        // Only root may mount a file system. For other users a quota limits the store, and no write fails.
        None => "3MiB",
    };
    let paddock = state
        .builder(&[])
        .config(&format!("context_cache.quota = '{quota}'"))
        .start();
    let prompts = ["One story", "Two stories"].map(|topic| text(topic, 320));
    // Leaves room for one context of 2.3 MB and a part of another.
    let ballast = store(state.directory()).join("ballast");
    if tmpfs.is_some() {
        fs::write(ballast, vec![0; 17 << 20]).unwrap();
    }
    for prompt in &prompts {
        paddock.complete(&paddock.tokens(prompt));
        swap_to(&paddock, "other");
        assert_eq!(context_count(state.directory()), 1, "only one context fits");
    }
    let short = json!({"model": "other", "prompt": "a", "n_predict": 1});
    for _ in 2 * prompts.len()..REQUESTS {
        ask(&paddock, "/completion", &short);
    }
    assert_no_crash(&paddock);
    if tmpfs.is_some() {
        let first = paddock.complete(&paddock.tokens(&prompts[0]));
        assert!(first.cached > 0, "the first context is found");
    }
}
