//! Finds the program of the engine (`llama-server`, which runs the models): a path, or a name on `PATH`.

mod install_help;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

pub(super) use install_help::{INSTALL_PATHS, MACHINE};

use super::ProcessEnv;
use super::home_dir::unexpanded_help;
use install_help::how_to_get;

/// Problem of a program or a file, and advice. The caller adds the configuration key that names the file.
#[derive(Debug)]
pub(super) struct PathFault {
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl PathFault {
    pub(super) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: Some(help.into()),
        }
    }

    /// Creates a fault whose message needs no advice.
    pub(super) fn bare(message: String) -> Self {
        let help = None;
        Self { message, help }
    }
}

/// Finds a program: a path if it contains a slash, else a name on the search path.
pub(super) fn find(command: &Path, process_env: &ProcessEnv) -> Result<PathBuf, PathFault> {
    let name = command.display();
    if command.as_os_str().is_empty() {
        return Err(PathFault::new(
            "must not be empty",
            "write \"llama-server\" or a path",
        ));
    }
    if command.components().count() > 1 || command.is_absolute() {
        return match program_state(command) {
            ProgramState::Program => Ok(command.to_owned()),
            ProgramState::Missing => {
                let help =
                    unexpanded_help(command).unwrap_or_else(|| how_to_get(command, process_env));
                Err(PathFault::new(format!("there is no file {name}"), help))
            }
            ProgramState::Directory => Err(PathFault::new(
                format!("{name} is a directory"),
                format!("give the path of the program in it, such as {name}/llama-server"),
            )),
            ProgramState::NotExecutable => Err(not_executable_fault(command)),
        };
    }
    let mut unusable = None;
    for directory in process_env.search_path.iter().flat_map(env::split_paths) {
        let candidate = directory.join(command);
        match program_state(&candidate) {
            ProgramState::Program => return Ok(candidate),
            ProgramState::NotExecutable => unusable = unusable.or(Some(candidate)),
            ProgramState::Missing | ProgramState::Directory => {}
        }
    }
    Err(unusable.map_or_else(
        || {
            let help = how_to_get(command, process_env);
            PathFault::new(format!("`{name}` was not found on PATH"), help)
        },
        |candidate| not_executable_fault(&candidate),
    ))
}

fn not_executable_fault(path: &Path) -> PathFault {
    let path = path.display();
    let help = format!("if it is the right program: chmod +x {path}");
    PathFault::new(format!("{path} is not executable"), help)
}

enum ProgramState {
    Program,
    NotExecutable,
    Directory,
    Missing,
}

fn program_state(path: &Path) -> ProgramState {
    match fs::metadata(path) {
        Err(_) => ProgramState::Missing,
        Ok(metadata) if metadata.is_dir() => ProgramState::Directory,
        Ok(metadata) if metadata.is_file() && is_executable(&metadata) => ProgramState::Program,
        Ok(_) => ProgramState::NotExecutable,
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
