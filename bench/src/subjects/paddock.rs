//! paddock with its default settings.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::run_dir::{RunDir, free_port};
use super::{RealEngine, Subject, SubjectName};
use crate::process::Process;
use crate::process_usage::Processes;

/// Starts a paddock whose child gets these arguments.
pub(crate) fn start(run_dir: &RunDir, program: &Path, child_args: &[String]) -> Result<Subject> {
    launch(
        run_dir,
        Command::new(program),
        child_args,
        &one_model(run_dir)?,
    )
}

/// Starts a paddock through a command that runs it.
pub(crate) fn start_by(run_dir: &RunDir, command: Command) -> Result<Subject> {
    launch(run_dir, command, &[], &one_model(run_dir)?)
}

/// Returns the configuration of one model.
fn one_model(run_dir: &RunDir) -> Result<String> {
    let model = serde_json::to_string(&run_dir.model())?;
    // The child has no slots, so no request may wait for one.
    Ok(format!(
        "[models.instant]\npath = {model}\nmax_in_flight = 16384\n"
    ))
}

/// Starts a paddock with `count` models, each with its own file. The first model is `instant`.
pub(crate) fn start_models(run_dir: &RunDir, program: &Path, count: usize) -> Result<Subject> {
    let mut models = vec!["[defaults]\nmax_in_flight = 16384\n[models]\n".to_owned()];
    for number in 0..count {
        let path = run_dir.unique_path("model.gguf");
        fs::copy(run_dir.model(), &path)?;
        let name = match number {
            0 => "instant".to_owned(),
            _ => format!("m{number}"),
        };
        let path = serde_json::to_string(&path)?;
        models.push(format!("{name}.path = {path}\n"));
    }
    let models = models.concat();
    launch(run_dir, Command::new(program), &[], &models)
}

/// Starts a paddock with models `a` and `b`, neither loaded, and additional keys of `[defaults]`
/// and later sections.
pub(crate) fn start_two(
    run_dir: &RunDir,
    program: &Path,
    child_args: &[String],
    more: &str,
) -> Result<Subject> {
    let models = two_models(&run_dir.model(), more)?;
    launch(run_dir, Command::new(program), child_args, &models)
}

/// Starts a paddock with a real llama-server and models `a` and `b` from the same file.
pub(super) fn start_two_real(
    run_dir: &RunDir,
    program: &Path,
    engine: &RealEngine,
    more: &str,
) -> Result<Subject> {
    let models = two_models(
        &engine.model,
        &format!("context = {}\n{more}", engine.context_size),
    )?;
    launch_engine(
        run_dir,
        Command::new(program),
        &engine.program,
        &[],
        &models,
    )
}

fn two_models(model: &Path, more: &str) -> Result<String> {
    let model = serde_json::to_string(model)?;
    Ok(format!(
        "[defaults]\n{more}[models]\na.path = {model}\nb.path = {model}\n"
    ))
}

/// Starts a paddock with one model, `instant`, and a real llama-server.
pub(super) fn start_real(run_dir: &RunDir, program: &Path, engine: &RealEngine) -> Result<Subject> {
    let (model, size) = (serde_json::to_string(&engine.model)?, engine.context_size);
    let models =
        format!("[models.instant]\npath = {model}\ncontext = {size}\nmax_in_flight = 16384\n");
    launch_engine(
        run_dir,
        Command::new(program),
        &engine.program,
        &[],
        &models,
    )
}

fn launch(
    run_dir: &RunDir,
    command: Command,
    child_args: &[String],
    models: &str,
) -> Result<Subject> {
    launch_engine(run_dir, command, &run_dir.child(), child_args, models)
}

fn launch_engine(
    run_dir: &RunDir,
    mut command: Command,
    engine: &Path,
    child_args: &[String],
    models: &str,
) -> Result<Subject> {
    let (port, admin) = (free_port()?, free_port()?);
    let config = run_dir.unique_path("paddock.toml");
    // JSON strings and lists of strings are valid TOML.
    let args = serde_json::to_string(child_args)?;
    let child = serde_json::to_string(engine)?;
    let state = serde_json::to_string(&run_dir.unique_path("state"))?;
    let text = format!(
        "[server]\nstate_dir = {state}\nlisten = [\"127.0.0.1:{port}\"]\nadmin = [\"127.0.0.1:{admin}\"]\n\
         [engine]\ncommand = {child}\nargs = {args}\n\
         {models}"
    );
    fs::write(&config, text)?;
    run_dir.prepare(&mut command);
    command.arg("serve").arg("--config").arg(&config);
    let process = Process::start(&mut command, &run_dir.unique_path("paddock.log"))?;
    Ok(Subject::new(
        SubjectName::Paddock,
        ([127, 0, 0, 1], port).into(),
        Processes(vec![process.id()]),
        process,
    ))
}
