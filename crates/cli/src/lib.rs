//! The command `paddock`: one file per command.
//!
//! It is a library so that tests of the whole can build the same program under another name.

mod admin;
mod allocator;
mod commands;
mod config_file;
mod exit;
mod hangup;
mod log_targets;
mod logging;
mod mistaken;
mod open_files;
mod output;
mod ports;
mod service;
mod table;
mod threads;
mod units;

use std::env;
use std::process::ExitCode;

use clap::Parser;

use commands::Cli;
use exit::Exit;

/// Runs the command that this process was started with, and returns its exit code.
pub fn main() -> ExitCode {
    // The shim becomes the child: what follows its name is not for paddock to read.
    let mut args = env::args_os().skip(1);
    if args.next().is_some_and(|name| name == commands::exec::NAME) {
        return commands::exec::run(args);
    }
    match Cli::try_parse() {
        Ok(cli) => commands::run(cli).into(),
        Err(error) => {
            let text = error.render().ansi().to_string();
            if error.use_stderr() {
                output::coloured_error(&with_a_tip(text));
                Exit::Usage.into()
            } else {
                output::coloured_text(&text);
                Exit::Done.into()
            }
        }
    }
}

/// Adds what was probably meant to what clap says of a command line; nothing where that is not known.
fn with_a_tip(said: String) -> String {
    let args = env::args_os().skip(1);
    let args: Vec<_> = args
        .map(|arg| output::printable(&arg.to_string_lossy()))
        .collect();
    let Some(instead) = mistaken::instead(&args) else {
        return said;
    };
    let error = said.lines().next().unwrap_or_default();
    let lines = instead.lines().map(|line| format!("    {line}"));
    let lines = lines.collect::<Vec<_>>().join("\n");
    format!("{error}\n\n  instead:\n{lines}\n\nFor more information, try '--help'.\n")
}
