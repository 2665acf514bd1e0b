//! A user with a home directory, and a mirror of llama.cpp's releases.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use paddock_e2e::harness::{CommandOutput, PaddockBuilder};
use paddock_e2e::mirror::archives::{ArchiveEntry, tar_gz};
use paddock_e2e::mirror::releases::{MirrorRelease, ReleasesMirror};

/// A script in place of the program, which states its version.
pub(crate) fn script(tag: &str) -> String {
    format!("#!/bin/sh\necho 'version: {tag}' >&2\n")
}

pub(crate) struct User {
    pub(crate) mirror: ReleasesMirror,
    pub(crate) paddock: PaddockBuilder,
}

impl User {
    pub(crate) fn new() -> Self {
        let mirror = ReleasesMirror::start();
        let paddock = paddock_e2e::paddock!();
        let home = paddock.directory().display().to_string();
        let paddock = paddock
            .env("HOME", &home)
            .env("PADDOCK_ENGINE_RELEASES", &mirror.feed());
        Self { mirror, paddock }
    }

    /// Adds a release whose builds for this machine are scripts.
    pub(crate) fn release(&self, tag: &str) {
        let program = script(tag);
        self.release_of(tag, program.as_bytes());
    }

    /// Adds a release whose builds for this machine have this program.
    pub(crate) fn release_of(&self, tag: &str, program: &[u8]) {
        let root = format!("llama-{tag}");
        let archive = tar_gz(&[
            ArchiveEntry::File(&format!("{root}/llama-server"), program, 0o755),
            ArchiveEntry::File(&format!("{root}/libggml.so.0"), b"library", 0o644),
            ArchiveEntry::Link(&format!("{root}/libggml.so"), "libggml.so.0"),
        ]);
        self.release_archive(tag, &archive);
    }

    /// Adds a release with this archive for this machine, with and without Vulkan.
    pub(crate) fn release_archive(&self, tag: &str, archive: &[u8]) {
        let names = [asset(tag, ""), asset(tag, "vulkan-")];
        let assets: BTreeMap<_, _> = names.map(|name| (name, archive.to_vec())).into();
        self.mirror.add(MirrorRelease {
            tag: tag.to_owned(),
            assets,
            source: None,
        });
    }

    /// Types a command, its words separated by spaces.
    pub(crate) fn types(&self, line: &str) -> CommandOutput {
        self.paddock.run(line.split(' '))
    }

    /// Types a command that succeeds, and returns its standard output.
    pub(crate) fn succeeds(&self, line: &str) -> String {
        let output = self.types(line);
        assert_eq!(output.code, Some(0), "{line}: {output:#?}");
        output.stdout
    }

    /// Types a command that fails, and returns its standard error.
    pub(crate) fn fails(&self, line: &str) -> String {
        let output = self.types(line);
        assert_eq!(output.code, Some(1), "{line}: {output:#?}");
        output.stderr
    }

    /// Returns the directory of engines.
    pub(crate) fn engines(&self) -> PathBuf {
        self.paddock.directory().join("engines")
    }

    /// Lists the directory of engines, without hidden files.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.engines()).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| !name.starts_with('.')).collect();
        names.sort();
        names
    }
}

/// Returns the name of a build for this machine.
pub(crate) fn asset(tag: &str, flavour: &str) -> String {
    let arch = if cfg!(target_arch = "x86_64") {
        "x64"
    } else {
        "arm64"
    };
    format!("llama-{tag}-bin-ubuntu-{flavour}{arch}.tar.gz")
}
