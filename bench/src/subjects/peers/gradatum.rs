//! gradatum-engine: <https://crates.io/crates/gradatum-engine>, built with its feature `serve`.
//!
//! The server reads programs and models only from a few directories, after following links
//! (`ALLOWED_BIN_PREFIXES` in its `supervisor.rs`, `validate_model_prefix` in its `config.rs`), and
//! only programs named `llama-server…`, so the run places copies there. It has one model, which it
//! loads at its own start.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process};

use crate::process::Process;
use crate::process_usage::Processes;
use crate::subjects::run_dir::free_port;
use crate::subjects::{RunDir, Subject, SubjectName};

const PROGRAM_DIR: &str = "/opt/llama-paddock-bench";
const MODEL_DIR: &str = "/opt/gradatum/models/paddock-bench";
const MODEL_PARENT_DIR: &str = "/opt/gradatum/models";

/// Removes the leftovers of gradatum-engine: its child, because it handles no signal, and the
/// copied files.
#[derive(Debug)]
struct LeftoverCleanup {
    directories: [PathBuf; 2],
    /// The process whose children are terminated.
    parent: u32,
}

/// Starts gradatum-engine with one model.
pub(super) fn start(run_dir: &RunDir, program: &Path) -> Result<Subject> {
    let directories = [PROGRAM_DIR, MODEL_DIR].map(PathBuf::from);
    let child = copy(&run_dir.child(), &directories[0])?;
    let model = copy(&run_dir.model(), &directories[1])?;
    let port = free_port()?;
    let config = run_dir.unique_path("gradatum.toml");
    fs::write(&config, text(&child, &model, port)?)?;
    let mut command = run_dir.command(program);
    command.arg(&config);
    let process = Process::start(&mut command, &run_dir.unique_path("gradatum.log"))?;
    let parent = process.id();
    let address = ([127, 0, 0, 1], port).into();
    let subject = Subject::new(
        SubjectName::Gradatum,
        address,
        Processes(vec![parent]),
        process,
    );
    Ok(subject.before_end(LeftoverCleanup {
        directories,
        parent,
    }))
}

fn copy(file: &Path, to: &Path) -> Result<PathBuf> {
    fs::create_dir_all(to).with_context(|| {
        format!(
            "gradatum-engine reads its files only from {}, and creating that directory failed",
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

impl Drop for LeftoverCleanup {
    fn drop(&mut self) {
        let family = Processes::family(self.parent).map_or(Vec::new(), |family| family.0);
        for child in family.into_iter().filter(|pid| *pid != self.parent) {
            if let Some(pid) = i32::try_from(child).ok().and_then(Pid::from_raw) {
                // The process may have ended already.
                let _ = kill_process(pid, Signal::TERM);
            }
        }
        for directory in &self.directories {
            // The next run overwrites leftover files.
            let _ = fs::remove_dir_all(directory);
        }
        for parent in [MODEL_PARENT_DIR, "/opt/gradatum"] {
            // The directory stays if it is not empty.
            let _ = fs::remove_dir(parent);
        }
    }
}
