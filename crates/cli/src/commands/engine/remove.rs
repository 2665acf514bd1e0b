//! `paddock engine remove`.

use clap::Args;
use paddock_engines::{EngineDirs, EngineName, RemoveError};

use super::fail;
use crate::engine_install::engine_dirs;
use crate::exit::Exit;
use crate::output;

/// Flags of `paddock engine remove`.
#[derive(Debug, Args)]
pub(super) struct RemoveArgs {
    /// The engine's name, as `paddock engine list` shows it.
    name: EngineName,
}

/// Runs the command.
pub(super) fn run(args: &RemoveArgs) -> Exit {
    let dirs = engine_dirs();
    match dirs.remove(&args.name) {
        Ok(()) => {
            output::print(&format!("removed {}", args.name));
            Exit::Done
        }
        Err(error) => fail(&error, help(&dirs, &error).as_deref()),
    }
}

fn help(dirs: &EngineDirs, error: &RemoveError) -> Option<String> {
    match error {
        RemoveError::InUse(name) => {
            let mut others = dirs.installed().into_iter().map(|engine| engine.name);
            let other = others.find(|other| other != name);
            Some(match other {
                Some(other) => format!("use another one first: paddock engine use {other}"),
                None => "install another one first: paddock engine install".to_owned(),
            })
        }
        RemoveError::NotInstalled(_) => Some("paddock engine list".to_owned()),
        RemoveError::OfSystem { name, .. } => Some(format!("sudo paddock engine remove {name}")),
        RemoveError::NoDirectory | RemoveError::Io { .. } => None,
    }
}
