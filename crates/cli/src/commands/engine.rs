//! `paddock engine`: installs, chooses and removes engines, which are releases of llama.cpp's llama-server.

mod build;
mod install;
mod list;
mod remove;
mod use_engine;

use std::fmt::Display;
use std::future::Future;

use clap::{Args, Subcommand};
use paddock_engines::EngineName;
use tokio::runtime::Builder;

use super::examples;
use crate::engine_install::{EngineInstallError, InstallOutcome};
use crate::exit::Exit;
use crate::output;

/// Subcommands of `paddock engine`.
#[derive(Debug, Args)]
pub(super) struct EngineCommand {
    #[command(subcommand)]
    subcommand: EngineSubcommand,
}

#[derive(Debug, Subcommand)]
enum EngineSubcommand {
    /// List the installed engines, or the releases that can be installed.
    #[command(after_help = examples::ENGINE_LIST)]
    List(list::ListArgs),
    /// Download a llama.cpp release for this machine and use it.
    #[command(after_help = examples::ENGINE_INSTALL)]
    Install(install::InstallArgs),
    /// Choose the installed engine that paddock uses.
    #[command(name = "use", after_help = examples::ENGINE_USE)]
    Use(use_engine::UseArgs),
    /// Remove an installed engine that is not in use.
    #[command(after_help = examples::ENGINE_REMOVE)]
    Remove(remove::RemoveArgs),
    /// Compile llama.cpp on this machine, with CUDA if its compiler is installed, and use it.
    #[command(after_help = examples::ENGINE_BUILD)]
    Build(build::BuildArgs),
}

/// Runs a subcommand.
pub(super) fn run(command: EngineCommand) -> Exit {
    match command.subcommand {
        EngineSubcommand::List(args) => list::run(&args),
        EngineSubcommand::Install(args) => install::run(args),
        EngineSubcommand::Use(args) => use_engine::run(&args),
        EngineSubcommand::Remove(args) => remove::run(&args),
        EngineSubcommand::Build(args) => build::run(&args),
    }
}

/// Runs a future to its end.
fn block_on<T>(future: impl Future<Output = Result<T, EngineInstallError>>) -> Result<T, Exit> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| fail(&format!("cannot start: {error}"), None))?;
    runtime
        .block_on(future)
        .map_err(|error| fail(&error, error.help().as_deref()))
}

/// Prints an error and advice.
fn fail(error: &impl Display, help: Option<&str>) -> Exit {
    let help = help.map(|help| format!("\n  = help: {help}"));
    output::print_error(&format!("error: {error}{}", help.unwrap_or_default()));
    Exit::Failed
}

/// Prints which engine is in use now, and the way back to the former one.
fn print_outcome(outcome: &InstallOutcome, keep_current: bool) {
    let engine = &outcome.engine;
    let verb = if outcome.was_installed {
        "was already installed"
    } else {
        "installed"
    };
    output::print(&format!(
        "{} {verb}: {}",
        engine.name,
        output::printable(&engine.receipt.version)
    ));
    if keep_current {
        output::print(&format!("to use it: paddock engine use {}", engine.name));
    } else {
        print_in_use(&engine.name, outcome.former.as_ref());
    }
}

fn print_in_use(name: &EngineName, former: Option<&EngineName>) {
    output::print(&format!(
        "{name} is in use; restart `paddock serve` if it is running"
    ));
    if let Some(former) = former {
        output::print(&format!("to go back: paddock engine use {former}"));
    }
}
