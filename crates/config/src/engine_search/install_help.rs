//! Advice if the engine is not found: usual locations, and how to install it.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::super::ProcessEnv;
use super::{ProgramState, program_state};

/// The engine's usual name.
pub(super) const ENGINE_NAME: &str = "llama-server";

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
    "install one with `paddock engine install`, or set `command` under [engine] to the path of llama-server"
        .to_owned()
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
        let expected = "install one with `paddock engine install`, or set `command` under [engine] to the path of \
            llama-server";
        assert_eq!(help("llama-server", &bare), expected);

        std::fs::create_dir_all(fixture.path("llama.cpp/build/bin")).unwrap();
        fixture.write("llama.cpp/build/bin/llama-server", b"#!/bin/sh\n");
        fixture.set_mode("llama.cpp/build/bin/llama-server", 0o755);
        let expected = "found DIR/llama.cpp/build/bin/llama-server: set command = \
            \"DIR/llama.cpp/build/bin/llama-server\" under [engine], or add its directory to the PATH";
        assert_eq!(help("llama-server", &bare), expected);
    }
}
