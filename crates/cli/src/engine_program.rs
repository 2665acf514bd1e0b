//! Runs the engine's program, llama-server, with a flag that makes it print something and exit.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::future;
use std::io;
use std::path::Path;
use std::time::Duration;

use paddock_supervisor::{
    Exit as ProgramExit, Launch, ProgramOutput, RunProgramError, Spawner, env as child_env,
};

use crate::commands::exec;

/// Longest run of a program. A cold GPU driver takes seconds.
const LIMIT: Duration = Duration::from_secs(30);

/// Beginning of the names of the CPU backends, of which the program chooses one.
const CPU_BACKEND: &str = "libggml-cpu";

/// Maximum length of a version.
const MAX_VERSION_CHARS: usize = 200;

/// Maximum number of lines that are quoted of a program that failed.
const MAX_ERROR_LINES: usize = 5;

/// The reason why a program printed nothing useful.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProgramError {
    /// The program cannot be run.
    #[error("cannot run the program: {0}")]
    NotRun(#[from] io::Error),
    /// The program did not end by itself.
    #[error(transparent)]
    NotEnded(#[from] RunProgramError),
    /// Libraries that the program or its backends need are not installed.
    #[error("missing libraries: {}", .0.join(", "))]
    MissingLibraries(Vec<String>),
    /// The program failed.
    #[error("{exit}: {output}")]
    Failed {
        /// The program's exit.
        exit: ProgramExit,
        /// The last lines of its output.
        output: String,
    },
}

impl ProgramError {
    /// Returns advice, if the cause is known.
    pub(crate) fn advice(&self) -> Option<String> {
        match self {
            Self::MissingLibraries(libraries) => Some(paddock_engines::library_advice(libraries)),
            error => paddock_engines::failure_advice(&error.to_string()),
        }
    }
}

/// Runs a program with these arguments and returns its output: standard output, then standard error.
pub(crate) async fn run(program: &Path, args: &[&OsStr]) -> Result<String, ProgramError> {
    let (exit, text) = run_to_end(program, args).await?;
    match exit {
        ProgramExit::Code(0) => Ok(text),
        exit => Err(ProgramError::Failed {
            exit,
            output: last_lines(&text),
        }),
    }
}

async fn run_to_end(
    program: &Path,
    args: &[&OsStr],
) -> Result<(ProgramExit, String), ProgramError> {
    let spawner = Spawner::start(exec::build_shim()?, None)?;
    let launch = Launch {
        sandbox: None,
        program: program.to_owned(),
        args: args.iter().map(Into::into).collect(),
        env: child_env::build_child_env(env::vars_os(), &BTreeMap::new()),
    };
    let output = spawner
        .run_program(launch, LIMIT, future::pending())
        .await?;
    Ok((output.exit, text_of(&output)))
}

/// Checks that the libraries of an engine are installed: those of the program, and of the CPU backends beside it. The
/// program loads a backend while it runs and passes over one that cannot be loaded, so that without libgomp `--version`
/// succeeds and no model can be loaded (llama.cpp b11434, ggml/src/ggml-backend-reg.cpp).
pub(crate) async fn check_libraries(program: &Path) -> Result<(), ProgramError> {
    let beside = program.parent().map(fs::read_dir);
    let beside = beside.into_iter().flatten().flatten().flatten();
    let backends = beside.map(|entry| entry.path()).filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(CPU_BACKEND) && name.contains(".so")
    });
    let files: Vec<_> = [program.to_owned()].into_iter().chain(backends).collect();
    let files: Vec<_> = files.iter().map(|path| path.as_os_str()).collect();
    // Its exit code is 1 if one of the files is a script. Systems without ldd are not checked.
    let Ok((_, text)) = run_to_end(Path::new("ldd"), &files).await else {
        return Ok(());
    };
    let missing = text
        .lines()
        .filter_map(|line| line.trim().strip_suffix(" => not found"));
    let missing: BTreeSet<_> = missing.map(ToOwned::to_owned).collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(ProgramError::MissingLibraries(
            missing.into_iter().collect(),
        )),
    }
}

/// Returns the line of `--version`'s output that states the version, such as `version: 11434 (a456fdb)`.
pub(crate) async fn version(program: &Path) -> Result<String, ProgramError> {
    let output = run(program, &["--version".as_ref()]).await?;
    let mut lines = output.lines().map(str::trim);
    let stated = lines.clone().find(|line| line.starts_with("version:"));
    let line = stated.or_else(|| lines.find(|line| !line.is_empty()));
    let line = line.unwrap_or("unknown version");
    Ok(line.chars().take(MAX_VERSION_CHARS).collect())
}

fn text_of(output: &ProgramOutput) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

fn last_lines(text: &str) -> String {
    let lines: Vec<_> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let start = lines.len().saturating_sub(MAX_ERROR_LINES);
    match lines.get(start..) {
        None | Some([]) => "no output".to_owned(),
        Some(last) => last.join("\n"),
    }
}
