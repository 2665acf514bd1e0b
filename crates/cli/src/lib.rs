//! The program `paddock`: parses its command line and runs a subcommand. Each subcommand has a file in `commands/`.
//!
//! Invariant: this crate parses flags, asks the server crate or the admin API, and prints. A library, so that
//! end-to-end tests can build the same program under another name.

mod admin;
mod allocator;
mod commands;
mod config_file;
mod exit;
mod format;
mod hangup;
mod log_targets;
mod logging;
mod open_files;
mod output;
mod port_check;
mod service;
mod suggest;
mod table;
mod threads;

use std::env;
use std::process::ExitCode;

use clap::Parser;

use commands::Cli;
use exit::Exit;

/// Runs the command that this process was started with, and returns its exit code.
pub fn main() -> ExitCode {
    // `paddock __exec` becomes a child (llama-server) by exec. clap must not parse the child's arguments.
    let mut args = env::args_os().skip(1);
    if args
        .next()
        .is_some_and(|name| name == commands::exec::COMMAND_NAME)
    {
        return commands::exec::run(args);
    }
    match Cli::try_parse() {
        Ok(cli) => commands::run(cli).into(),
        Err(error) => {
            let text = error.render().ansi().to_string();
            if error.use_stderr() {
                output::print_coloured_error(&add_suggestion(text));
                Exit::Usage.into()
            } else {
                output::print_coloured(&text);
                Exit::Done.into()
            }
        }
    }
}

/// Replaces clap's usage text by the command that was probably meant, if known.
fn add_suggestion(message: String) -> String {
    let args = env::args_os().skip(1);
    let args: Vec<_> = args
        .map(|arg| output::printable(&arg.to_string_lossy()))
        .collect();
    let Some(suggestion) = suggest::suggest(&args) else {
        return message;
    };
    let error = message.lines().next().unwrap_or_default();
    let lines = suggestion.lines().map(|line| format!("    {line}"));
    let lines = lines.collect::<Vec<_>>().join("\n");
    format!("{error}\n\n  instead:\n{lines}\n\nFor more information, try '--help'.\n")
}
