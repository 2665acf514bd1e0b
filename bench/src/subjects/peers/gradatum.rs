//! gradatum-engine: <https://crates.io/crates/gradatum-engine>, built with its feature `serve`.
//!
//! It runs programs and reads models from a few directories only, links followed (`ALLOWED_BIN_PREFIXES`
//! in its `supervisor.rs`, `validate_model_prefix` in its `config.rs`), and programs only that are called
//! `llama-server…`, so copies are put there for the time of the run. It has one model, which it starts at its own start.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process};

use crate::process::Process;
use crate::subjects::place::free_port;
use crate::subjects::{Name, Place, Subject};
use crate::usage::Processes;

const PROGRAMS: &str = "/opt/llama-paddock-bench";
const MODELS: &str = "/opt/gradatum/models/paddock-bench";
const MODELS_PARENT: &str = "/opt/gradatum/models";

/// What it leaves behind at its end: its child, as it handles no signal, and the copies.
#[derive(Debug)]
struct Remains {
    directories: [PathBuf; 2],
    /// The process whose children are to end with it.
    parent: u32,
}

/// Starts it with one model.
pub(super) fn start(place: &Place, program: &Path) -> Result<Subject> {
    let directories = [PROGRAMS, MODELS].map(PathBuf::from);
    let child = copy(&place.child(), &directories[0])?;
    let model = copy(&place.model(), &directories[1])?;
    let port = free_port()?;
    let config = place.fresh("gradatum.toml");
    fs::write(&config, text(&child, &model, port)?)?;
    let mut command = place.command(program);
    command.arg(&config);
    let process = Process::start(&mut command, &place.fresh("gradatum.log"))?;
    let parent = process.id();
    let address = ([127, 0, 0, 1], port).into();
    let subject = Subject::new(Name::Gradatum, address, Processes(vec![parent]), process);
    Ok(subject.before_end(Remains {
        directories,
        parent,
    }))
}

fn copy(file: &Path, to: &Path) -> Result<PathBuf> {
    fs::create_dir_all(to).with_context(|| {
        format!(
            "gradatum-engine takes its files from {} and nowhere else, and that cannot be made",
            to.display()
        )
    })?;
    let copy = to.join(file.file_name().context("no file")?);
    fs::copy(file, &copy).with_context(|| copy.display().to_string())?;
    Ok(copy)
}

fn text(child: &Path, model: &Path, port: u16) -> Result<String> {
    Ok(format!(
        "[engine]\nllama_server_bin = {}\nmodel_path = {}\nmodel_kind = \"chat\"\n\
         port = {port}\nmetrics_port = {}\nchild_port = {}\n",
        serde_json::to_string(child)?,
        serde_json::to_string(model)?,
        free_port()?,
        free_port()?,
    ))
}

impl Drop for Remains {
    fn drop(&mut self) {
        let family = Processes::family(self.parent).map_or(Vec::new(), |family| family.0);
        for child in family.into_iter().filter(|pid| *pid != self.parent) {
            if let Some(pid) = i32::try_from(child).ok().and_then(Pid::from_raw) {
                // It may be gone by now.
                let _ = kill_process(pid, Signal::TERM);
            }
        }
        for directory in &self.directories {
            // Left behind, they are overwritten by the next run.
            let _ = fs::remove_dir_all(directory);
        }
        for parent in [MODELS_PARENT, "/opt/gradatum"] {
            // It stays if anything else is in it.
            let _ = fs::remove_dir(parent);
        }
    }
}
