//! paddock, as its defaults are.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::place::{Place, free_port};
use super::{Name, Subject};
use crate::process::Process;
use crate::usage::Processes;

/// Starts a paddock whose child gets these arguments.
pub(crate) fn start(place: &Place, program: &Path, child_args: &[String]) -> Result<Subject> {
    launch(place, Command::new(program), child_args, &one(place)?)
}

/// Starts a paddock by a command that runs it.
pub(crate) fn start_by(place: &Place, command: Command) -> Result<Subject> {
    launch(place, command, &[], &one(place)?)
}

/// One model.
fn one(place: &Place) -> Result<String> {
    let model = serde_json::to_string(&place.model())?;
    // The child has no slots, so nothing is to wait for one.
    Ok(format!(
        "[models.instant]\npath = {model}\nmax_in_flight = 16384\n"
    ))
}

/// Starts a paddock with so many models, each with a file of its own. The first one is `instant`.
pub(crate) fn start_models(place: &Place, program: &Path, count: usize) -> Result<Subject> {
    let mut models = vec!["[defaults]\nmax_in_flight = 16384\n[models]\n".to_owned()];
    for number in 0..count {
        let path = place.fresh("model.gguf");
        fs::copy(place.model(), &path)?;
        let name = match number {
            0 => "instant".to_owned(),
            _ => format!("m{number}"),
        };
        let path = serde_json::to_string(&path)?;
        models.push(format!("{name}.path = {path}\n"));
    }
    let models = models.concat();
    launch(place, Command::new(program), &[], &models)
}

/// Starts a paddock with models `a` and `b`, none of them loaded, and more of `[defaults]` and the
/// sections behind it.
pub(crate) fn start_two(
    place: &Place,
    program: &Path,
    child_args: &[String],
    more: &str,
) -> Result<Subject> {
    let models = two(&place.model(), more)?;
    launch(place, Command::new(program), child_args, &models)
}

/// The same with a real llama-server, and this model twice.
pub(super) fn start_two_real(
    place: &Place,
    program: &Path,
    engine: &Path,
    model: &Path,
    more: &str,
) -> Result<Subject> {
    let models = two(model, &format!("context = 512\n{more}"))?;
    launch_engine(place, Command::new(program), engine, &[], &models)
}

fn two(model: &Path, more: &str) -> Result<String> {
    let model = serde_json::to_string(model)?;
    Ok(format!(
        "[defaults]\n{more}[models]\na.path = {model}\nb.path = {model}\n"
    ))
}

/// Starts a paddock with one model, `instant`, and a real llama-server.
pub(super) fn start_real(
    place: &Place,
    program: &Path,
    engine: &Path,
    model: &Path,
) -> Result<Subject> {
    let model = serde_json::to_string(model)?;
    let models =
        format!("[models.instant]\npath = {model}\ncontext = 512\nmax_in_flight = 16384\n");
    launch_engine(place, Command::new(program), engine, &[], &models)
}

fn launch(place: &Place, command: Command, child_args: &[String], models: &str) -> Result<Subject> {
    launch_engine(place, command, &place.child(), child_args, models)
}

fn launch_engine(
    place: &Place,
    mut command: Command,
    engine: &Path,
    child_args: &[String],
    models: &str,
) -> Result<Subject> {
    let (port, admin) = (free_port()?, free_port()?);
    let config = place.fresh("paddock.toml");
    // A JSON string, and a list of them, is one of TOML too.
    let args = serde_json::to_string(child_args)?;
    let child = serde_json::to_string(engine)?;
    let state = serde_json::to_string(&place.fresh("state"))?;
    let text = format!(
        "[server]\nstate_dir = {state}\nlisten = [\"127.0.0.1:{port}\"]\nadmin = [\"127.0.0.1:{admin}\"]\n\
         [engine]\ncommand = {child}\nargs = {args}\n\
         {models}"
    );
    fs::write(&config, text)?;
    place.prepare(&mut command);
    command.arg("serve").arg("--config").arg(&config);
    let process = Process::start(&mut command, &place.fresh("paddock.log"))?;
    Ok(Subject::new(
        Name::Paddock,
        ([127, 0, 0, 1], port).into(),
        Processes(vec![process.id()]),
        process,
    ))
}
