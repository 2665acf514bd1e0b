//! Engines that are compiled here, from a tiny project in place of llama.cpp.

use std::fs;
use std::process::Command;

use paddock_e2e::mirror::archives::{ArchiveEntry, tar_gz};
use paddock_e2e::mirror::releases::MirrorRelease;

use crate::support::User;

/// A project whose program is a script, so that no compiler is needed.
const PROJECT: &str = "\
cmake_minimum_required(VERSION 3.14)
project(tiny NONE)
add_custom_target(llama-server
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/bin
    COMMAND ${CMAKE_COMMAND} -E copy ${CMAKE_SOURCE_DIR}/llama-server ${CMAKE_BINARY_DIR}/bin/llama-server)
";

const PROGRAM: &str = "#!/bin/sh\necho 'version: tiny' >&2\n";

fn has_cmake() -> bool {
    let has = Command::new("cmake").arg("--version").output().is_ok();
    assert!(has || std::env::var_os("CI").is_none(), "cmake is missing");
    has
}

#[test]
fn a_directory_is_compiled_and_installed() {
    if !has_cmake() {
        return;
    }
    let user = User::new();
    let source = user.paddock.directory().join("llama.cpp");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("CMakeLists.txt"), PROJECT).unwrap();
    user.paddock
        .script("llama.cpp/llama-server", "echo 'version: tiny' >&2");
    let built = user.succeeds("engine build --source llama.cpp --backend cpu -j 1");
    assert!(
        built.starts_with("local-cpu-built installed: version: tiny\n"),
        "{built}"
    );
    assert_eq!(user.names(), ["current", "digests.json", "local-cpu-built"]);
    let log = fs::read_to_string(user.engines().join(".build-local-cpu-built.log")).unwrap();
    assert!(
        log.contains("Built target llama-server") || log.contains("[1/1]"),
        "{log}"
    );
    assert!(!user.engines().join(".build").exists());

    fs::write(
        source.join("CMakeLists.txt"),
        "message(FATAL_ERROR \"no compiler\")\n",
    )
    .unwrap();
    let error = user.fails("engine build --source llama.cpp --backend cpu");
    assert!(
        error.contains("the compilation failed") && error.contains("no compiler"),
        "{error}"
    );
    assert_eq!(user.names(), ["current", "digests.json", "local-cpu-built"]);
}

#[test]
fn the_source_of_a_release_is_compiled() {
    if !has_cmake() {
        return;
    }
    let user = User::new();
    let source = tar_gz(&[
        ArchiveEntry::File(
            "ggml-org-llama.cpp-abc/CMakeLists.txt",
            PROJECT.as_bytes(),
            0o644,
        ),
        ArchiveEntry::File(
            "ggml-org-llama.cpp-abc/llama-server",
            PROGRAM.as_bytes(),
            0o755,
        ),
    ]);
    user.mirror.add(MirrorRelease {
        tag: "b5".to_owned(),
        source: Some(source),
        ..MirrorRelease::default()
    });
    let built = user.succeeds("engine build b5 --backend cpu");
    assert!(
        built.starts_with("b5-cpu-built installed: version: tiny\n"),
        "{built}"
    );
}
