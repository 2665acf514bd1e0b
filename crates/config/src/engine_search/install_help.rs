//! Advice if the engine is not found: usual locations, and how to install it on this system.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::super::ProcessEnv;
use super::{ProgramState, program_state};

/// The engine's usual name.
const ENGINE_NAME: &str = "llama-server";

/// Usual build directories, below the home directory.
const BUILD_PATHS: [&str; 3] = [
    "llama.cpp/build/bin",
    "src/llama.cpp/build/bin",
    "git/llama.cpp/build/bin",
];

/// Usual directories of programs that may be missing from the `PATH` of a service.
pub(in super::super) const INSTALL_PATHS: [&str; 5] = [
    "/usr/local/bin",
    "/opt/llama.cpp/build/bin",
    "/opt/homebrew/bin",
    "/home/linuxbrew/.linuxbrew/bin",
    "/run/current-system/sw/bin",
];

/// Package managers that have llama.cpp, and the command that installs it
/// (<https://github.com/ggml-org/llama.cpp/blob/master/docs/install.md>).
const PACKAGE_MANAGERS: [(&str, &str); 3] = [
    ("brew", "brew install llama.cpp"),
    ("nix", "nix profile install nixpkgs#llama-cpp"),
    ("port", "sudo port install llama.cpp"),
];

const RELEASES_URL: &str = "https://github.com/ggml-org/llama.cpp/releases/latest";

/// The system and processor of this build.
pub(in super::super) const MACHINE: &str = if cfg!(all(target_os = "linux", target_arch = "x86_64"))
{
    "linux-x86_64"
} else if cfg!(all(target_os = "macos", target_arch = "aarch64")) {
    "macos-aarch64"
} else {
    "another"
};

/// Returns advice for a program that is not found: the path of an engine that is installed elsewhere, else how to
/// install one.
pub(super) fn how_to_get(command: &Path, process_env: &ProcessEnv) -> String {
    if command != Path::new(ENGINE_NAME)
        && let Some(found) = find_on_path(ENGINE_NAME, process_env.search_path.as_deref())
    {
        return format!("found {}: did you mean `{ENGINE_NAME}`?", found.display());
    }
    if let Some(found) = find_off_path(process_env) {
        return format!(
            "found {found}: set command = {found:?} under [engine], or add its directory to the PATH"
        );
    }
    let how = install_help(process_env);
    format!("{how}; or set `command` under [engine] to the path of llama-server")
}

/// Returns advice for installing llama.cpp on this system.
fn install_help(process_env: &ProcessEnv) -> String {
    let search = process_env.search_path.as_deref();
    let known = PACKAGE_MANAGERS
        .iter()
        .find(|(program, _)| find_on_path(program, search).is_some());
    if let Some((_, command)) = known {
        return format!("install llama.cpp: `{command}`");
    }
    // Archive names of llama.cpp's releases.
    let archive = match process_env.machine {
        "linux-x86_64" => {
            " (the archive bin-ubuntu-x64, or bin-ubuntu-vulkan-x64 to use a GPU), unpack the whole archive"
        }
        "macos-aarch64" => " (the archive bin-macos-arm64), unpack the whole archive",
        _ => " or build it",
    };
    format!("get llama.cpp from {RELEASES_URL}{archive}, and add llama-server to the PATH")
}

fn find_on_path(name: &str, search: Option<&OsStr>) -> Option<PathBuf> {
    let directories = search.into_iter().flat_map(env::split_paths);
    program_in(directories, name)
}

/// Searches usual locations that are not on the search path.
fn find_off_path(process_env: &ProcessEnv) -> Option<String> {
    let home = process_env.home.iter();
    let built = home.flat_map(|home| BUILD_PATHS.iter().map(|place| home.join(place)));
    let installed = process_env.installed.iter().map(PathBuf::from);
    let found = program_in(built.chain(installed), ENGINE_NAME)?;
    Some(found.to_string_lossy().into_owned())
}

fn program_in(mut directories: impl Iterator<Item = PathBuf>, name: &str) -> Option<PathBuf> {
    directories.find_map(|directory| {
        let program = directory.join(name);
        matches!(program_state(&program), ProgramState::Program).then_some(program)
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::Fixture;
    use super::*;

    fn bare(fixture: &Fixture) -> ProcessEnv {
        ProcessEnv {
            search_path: Some(fixture.path("empty").into()),
            ..fixture.process_env()
        }
    }

    #[test]
    fn what_is_there_comes_before_what_can_be_got() {
        let fixture = Fixture::new();
        let help = |command: &str, process_env: &ProcessEnv| {
            fixture.hide(&how_to_get(Path::new(command), process_env))
        };
        let expected = "found DIR/bin/llama-server: did you mean `llama-server`?";
        assert_eq!(help("lama-server", &fixture.process_env()), expected);

        let bare = bare(&fixture);
        let expected = "get llama.cpp from https://github.com/ggml-org/llama.cpp/releases/latest \
            (the archive bin-ubuntu-x64, or bin-ubuntu-vulkan-x64 to use a GPU), unpack the whole archive, \
            and add llama-server to the PATH; or set `command` under [engine] to the path of llama-server";
        assert_eq!(help("llama-server", &bare), expected);

        std::fs::create_dir_all(fixture.path("llama.cpp/build/bin")).unwrap();
        fixture.write("llama.cpp/build/bin/llama-server", b"#!/bin/sh\n");
        fixture.set_mode("llama.cpp/build/bin/llama-server", 0o755);
        let expected = "found DIR/llama.cpp/build/bin/llama-server: set command = \
            \"DIR/llama.cpp/build/bin/llama-server\" under [engine], or add its directory to the PATH";
        assert_eq!(help("llama-server", &bare), expected);
    }

    #[test]
    fn a_package_manager_that_is_there_is_used() {
        let fixture = Fixture::new();
        fixture.write("bin/brew", b"#!/bin/sh\n");
        fixture.set_mode("bin/brew", 0o755);
        let expected = "install llama.cpp: `brew install llama.cpp`";
        assert_eq!(install_help(&fixture.process_env()), expected);
    }
}
