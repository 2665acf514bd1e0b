//! Builds the command line of a child: the engine's process (`llama-server`) that paddock starts for a model.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::{Engine, GpuLayers, Model};

/// The command of a child, without the address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The program.
    pub program: PathBuf,
    /// The arguments, without `--host` and `--port`.
    pub args: Vec<OsString>,
    /// Environment variables in addition to those that every child gets.
    pub env: BTreeMap<String, String>,
}

/// Returns a wrapped command with all the arguments its user wrote.
pub(super) fn wrapped_command(engine: &Engine) -> Command {
    Command {
        program: engine.program.clone(),
        args: engine.args.clone(),
        env: engine.env.clone(),
    }
}

/// Builds the command of a model. Settings at their default are left to the engine and add no flag.
pub(super) fn model_command(engine: &Engine, model: &Model) -> Command {
    let mut args = Vec::new();
    if let Some(path) = &model.path {
        push_path(&mut args, "--model", path);
        push(&mut args, "--alias", &model.id);
    }
    if let Some(path) = &model.mmproj {
        push_path(&mut args, "--mmproj", path);
    }
    if let Some(path) = &model.draft {
        push_path(&mut args, "--model-draft", path);
    }
    if model.context > 0 {
        push(&mut args, "--ctx-size", &model.context);
    }
    if model.parallel > 0 {
        push(&mut args, "--parallel", &model.parallel);
    }
    match model.gpu_layers {
        GpuLayers::Auto => {}
        GpuLayers::All => push(&mut args, "--gpu-layers", &"all"),
        GpuLayers::Count(count) => push(&mut args, "--gpu-layers", &count),
    }
    args.extend(engine.args.iter().chain(&model.args).cloned());
    let mut env = engine.env.clone();
    env.extend(model.env.clone());
    Command {
        program: engine.program.clone(),
        args,
        env,
    }
}

fn push(args: &mut Vec<OsString>, flag: &str, value: &dyn ToString) {
    args.extend([flag.into(), value.to_string().into()]);
}

fn push_path(args: &mut Vec<OsString>, flag: &str, path: &Path) {
    args.extend([flag.into(), path.into()]);
}
