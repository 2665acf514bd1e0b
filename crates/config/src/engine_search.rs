//! Finds the program of the engine (`llama-server`, which runs the models): a path, the installed engine, or a name on
//! `PATH`.

mod install_help;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

pub(super) use install_help::INSTALL_PATHS;

use super::ProcessEnv;
use super::home_dir::unexpanded_help;
use install_help::{ENGINE_NAME, how_to_get};

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

/// Finds the engine: a path if it contains a slash, the installed engine for the usual name, else a name on the search
/// path.
pub(super) fn find_engine(command: &Path, process_env: &ProcessEnv) -> Result<PathBuf, PathFault> {
    installed_engine(command, process_env).map_or_else(|| find_program(command, process_env), Ok)
}

/// Finds the engine of the usual name.
pub(super) fn find_default(process_env: &ProcessEnv) -> Option<PathBuf> {
    find_engine(Path::new(ENGINE_NAME), process_env).ok()
}

/// Finds the program of a wrapped command, which a shell would find on the search path, else the installed engine for
/// the usual name.
pub(super) fn find_wrapped(command: &Path, process_env: &ProcessEnv) -> Result<PathBuf, PathFault> {
    find_program(command, process_env)
        .or_else(|fault| installed_engine(command, process_env).ok_or(fault))
}

/// Returns the program of the installed engine that is in use. Its path stays valid if another engine is put into use.
fn installed_engine(command: &Path, process_env: &ProcessEnv) -> Option<PathBuf> {
    if command != Path::new(ENGINE_NAME) {
        return None;
    }
    let engine = process_env.engines.current()?;
    matches!(program_state(&engine.program), ProgramState::Program).then_some(engine.program)
}

fn find_program(command: &Path, process_env: &ProcessEnv) -> Result<PathBuf, PathFault> {
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

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;

    #[test]
    fn the_installed_engine_comes_before_the_path_except_for_a_wrapped_command() {
        let fixture = Fixture::new();
        let found = |find: fn(&Path, &ProcessEnv) -> Result<PathBuf, PathFault>, command: &str| {
            let program = find(Path::new(command), &fixture.process_env());
            program.map_or_else(
                |fault| fault.message,
                |program| fixture.hide(&program.display()),
            )
        };
        assert_eq!(found(find_engine, "llama-server"), "DIR/bin/llama-server");
        fixture.install_engine("b1");
        let installed = "DIR/engines/b1/llama-server";
        assert_eq!(found(find_engine, "llama-server"), installed);
        assert_eq!(found(find_wrapped, "llama-server"), "DIR/bin/llama-server");
        assert_eq!(found(find_engine, "other"), "`other` was not found on PATH");

        fs::remove_file(fixture.path("bin/llama-server")).unwrap();
        assert_eq!(found(find_wrapped, "llama-server"), installed);
        fixture.set_mode("engines/b1/llama-server", 0o644);
        let missing = "`llama-server` was not found on PATH";
        assert_eq!(found(find_engine, "llama-server"), missing);
        assert_eq!(found(find_wrapped, "llama-server"), missing);
    }
}
