//! Finding the engine's program.

mod get;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

pub(super) use get::{INSTALLED, MACHINE};

use super::Surroundings;
use super::home::unexpanded;
use get::how_to_get;

/// What is wrong with a program or a file, and what to do about it.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl Fault {
    pub(super) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: Some(help.into()),
        }
    }

    /// Makes a fault that says by itself what to do.
    pub(super) fn bare(message: String) -> Self {
        let help = None;
        Self { message, help }
    }
}

/// Finds a program: a path with a slash as it is, any other name on the search path.
pub(super) fn find(command: &Path, around: &Surroundings) -> Result<PathBuf, Fault> {
    let name = command.display();
    if command.as_os_str().is_empty() {
        return Err(Fault::new("is empty", "write \"llama-server\" or a path"));
    }
    if command.components().count() > 1 || command.is_absolute() {
        return match state(command) {
            State::Program => Ok(command.to_owned()),
            State::Missing => {
                let help = unexpanded(command).unwrap_or_else(|| how_to_get(command, around));
                Err(Fault::new(format!("there is no file {name}"), help))
            }
            State::Directory => Err(Fault::new(
                format!("{name} is a directory"),
                format!("name the program in it, such as {name}/llama-server"),
            )),
            State::NotExecutable => Err(not_executable(command)),
        };
    }
    let mut useless = None;
    for directory in around.search_path.iter().flat_map(env::split_paths) {
        let candidate = directory.join(command);
        match state(&candidate) {
            State::Program => return Ok(candidate),
            State::NotExecutable => useless = useless.or(Some(candidate)),
            State::Missing | State::Directory => {}
        }
    }
    Err(useless.map_or_else(
        || {
            let help = how_to_get(command, around);
            Fault::new(format!("there is no `{name}` on PATH"), help)
        },
        |candidate| not_executable(&candidate),
    ))
}

fn not_executable(path: &Path) -> Fault {
    let path = path.display();
    let help = format!("if it is the right program: chmod +x {path}");
    Fault::new(format!("{path} is not executable"), help)
}

enum State {
    Program,
    NotExecutable,
    Directory,
    Missing,
}

fn state(path: &Path) -> State {
    match fs::metadata(path) {
        Err(_) => State::Missing,
        Ok(metadata) if metadata.is_dir() => State::Directory,
        Ok(metadata) if metadata.is_file() && is_executable(&metadata) => State::Program,
        Ok(_) => State::NotExecutable,
    }
}

#[cfg(unix)]
fn is_executable(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &fs::Metadata) -> bool {
    true
}
