//! Where an engine that is not found may be, and how to get one on this system.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::super::Surroundings;
use super::{State, state};

/// The engine's usual name.
const NAME: &str = "llama-server";

/// Where people build it, below their home directory.
const BUILT: [&str; 3] = [
    "llama.cpp/build/bin",
    "src/llama.cpp/build/bin",
    "git/llama.cpp/build/bin",
];

/// Where systems keep it that a service's PATH may lack.
pub(in super::super) const INSTALLED: [&str; 5] = [
    "/usr/local/bin",
    "/opt/llama.cpp/build/bin",
    "/opt/homebrew/bin",
    "/home/linuxbrew/.linuxbrew/bin",
    "/run/current-system/sw/bin",
];

/// Package managers that have it, and how it is called there
/// (<https://github.com/ggml-org/llama.cpp/blob/master/docs/install.md>).
const PACKAGES: [(&str, &str); 3] = [
    ("brew", "brew install llama.cpp"),
    ("nix", "nix profile install nixpkgs#llama-cpp"),
    ("port", "sudo port install llama.cpp"),
];

const RELEASES: &str = "https://github.com/ggml-org/llama.cpp/releases/latest";

/// The system and the processor that this program is made for.
pub(in super::super) const MACHINE: &str = if cfg!(all(target_os = "linux", target_arch = "x86_64"))
{
    "linux-x86_64"
} else if cfg!(all(target_os = "macos", target_arch = "aarch64")) {
    "macos-aarch64"
} else {
    "another"
};

/// Says what to do when a program is not found: what is there already comes first.
pub(super) fn how_to_get(command: &Path, around: &Surroundings) -> String {
    if command != Path::new(NAME)
        && let Some(found) = on_path(NAME, around.search_path.as_deref())
    {
        return format!("there is {}: did you mean `{NAME}`?", found.display());
    }
    if let Some(found) = beside(around) {
        return format!(
            "there is {found}: write command = {found:?} under [engine], or put its directory on \
             the PATH"
        );
    }
    let how = install(around);
    format!("{how}; or set `command` under [engine] to where it is")
}

/// Says how to get llama.cpp here.
fn install(around: &Surroundings) -> String {
    let search = around.search_path.as_deref();
    let known = PACKAGES
        .iter()
        .find(|(program, _)| on_path(program, search).is_some());
    if let Some((_, command)) = known {
        return format!("get llama.cpp: `{command}`");
    }
    // What its releases call their archives.
    let archive = match around.machine {
        "linux-x86_64" => {
            " (the archive bin-ubuntu-x64, or bin-ubuntu-vulkan-x64 to use a GPU), unpack it whole"
        }
        "macos-aarch64" => " (the archive bin-macos-arm64), unpack it whole",
        _ => " or build it",
    };
    format!("get llama.cpp from {RELEASES}{archive}, and put llama-server on the PATH")
}

fn on_path(name: &str, search: Option<&OsStr>) -> Option<PathBuf> {
    let directories = search.into_iter().flat_map(env::split_paths);
    program_in(directories, name)
}

/// Looks where it usually is but not found by name.
fn beside(around: &Surroundings) -> Option<String> {
    let home = around.home.iter();
    let built = home.flat_map(|home| BUILT.iter().map(|place| home.join(place)));
    let installed = around.installed.iter().map(PathBuf::from);
    let found = program_in(built.chain(installed), NAME)?;
    Some(found.to_string_lossy().into_owned())
}

fn program_in(mut directories: impl Iterator<Item = PathBuf>, name: &str) -> Option<PathBuf> {
    directories.find_map(|directory| {
        let program = directory.join(name);
        matches!(state(&program), State::Program).then_some(program)
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::Fixture;
    use super::*;

    fn bare(fixture: &Fixture) -> Surroundings {
        Surroundings {
            search_path: Some(fixture.path("empty").into()),
            ..fixture.around()
        }
    }

    #[test]
    fn what_is_there_comes_before_what_can_be_got() {
        let fixture = Fixture::new();
        let help = |command: &str, around: &Surroundings| {
            fixture.hide(&how_to_get(Path::new(command), around))
        };
        let expected = "there is DIR/bin/llama-server: did you mean `llama-server`?";
        assert_eq!(help("lama-server", &fixture.around()), expected);

        let bare = bare(&fixture);
        let expected = "get llama.cpp from https://github.com/ggml-org/llama.cpp/releases/latest \
            (the archive bin-ubuntu-x64, or bin-ubuntu-vulkan-x64 to use a GPU), unpack it whole, \
            and put llama-server on the PATH; or set `command` under [engine] to where it is";
        assert_eq!(help("llama-server", &bare), expected);

        std::fs::create_dir_all(fixture.path("llama.cpp/build/bin")).unwrap();
        fixture.write("llama.cpp/build/bin/llama-server", b"#!/bin/sh\n");
        fixture.set_mode("llama.cpp/build/bin/llama-server", 0o755);
        let expected = "there is DIR/llama.cpp/build/bin/llama-server: write command = \
            \"DIR/llama.cpp/build/bin/llama-server\" under [engine], or put its directory on the PATH";
        assert_eq!(help("llama-server", &bare), expected);
    }

    #[test]
    fn a_package_manager_that_is_there_is_used() {
        let fixture = Fixture::new();
        fixture.write("bin/brew", b"#!/bin/sh\n");
        fixture.set_mode("bin/brew", 0o755);
        let expected = "get llama.cpp: `brew install llama.cpp`";
        assert_eq!(install(&fixture.around()), expected);
    }
}
