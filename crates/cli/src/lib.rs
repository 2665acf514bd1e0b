//! The program `paddock`: parses its command line and runs a subcommand. Each subcommand has a file in `commands/`.
//!
//! Invariant: this crate parses flags, asks the server crate or the admin API, and prints. A library, so that
//! end-to-end tests can build the same program under another name.

mod admin;
#[cfg(target_os = "linux")]
mod allocator;
mod commands;
mod config_file;
mod engine_build;
mod engine_install;
mod engine_program;
mod exit;
mod format;
mod hangup;
mod log_targets;
mod logging;
mod model_pull;
mod open_files;
mod output;
mod port_check;
mod service;
mod suggest;
mod table;
mod this_platform;
mod threads;
mod transfer_progress;

use std::env;
use std::process::ExitCode;

use clap::Parser;

use commands::Cli;
use exit::Exit;
use paddock_models::without_secrets;

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
                output::print_coloured_error(&hide_secrets(
                    add_suggestion(text),
                    env::args_os().map(|arg| arg.to_string_lossy().into_owned()),
                ));
                Exit::Usage.into()
            } else {
                output::print_coloured(&text);
                Exit::Done.into()
            }
        }
    }
}

/// Removes passwords and queries of URLs, which clap repeats from the command line.
fn hide_secrets(message: String, args: impl Iterator<Item = String>) -> String {
    let urls = args.filter(|arg| arg.contains("://"));
    urls.fold(message, |message, arg| {
        // Of a flag, the parser repeats the value alone.
        let value = arg.split_once('=').filter(|_| arg.starts_with("--"));
        let url = value.map_or(&*arg, |(_, value)| value);
        message.replace(url, &without_secrets(url))
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_the_parser_show_no_secrets() {
        for argument in [
            "https://h/x.bin?token=secret",
            "https://u:secret@h/x.gguf",
            "hf://u:secret@x/y",
        ] {
            let words = ["paddock", "pull", argument];
            let error = Cli::try_parse_from(words).unwrap_err();
            let message = error.render().ansi().to_string();
            let shown = hide_secrets(message, words.map(str::to_owned).into_iter());
            assert!(!shown.contains("secret"), "{shown}");
            assert!(shown.contains("://"), "{shown}");
        }
        let flag = "--x=https://u:secret@h/x?secret".to_owned();
        let message = "invalid value 'https://u:secret@h/x?secret' for '--x'".to_owned();
        let shown = hide_secrets(message, [flag].into_iter());
        assert_eq!(shown, "invalid value 'https://h/x' for '--x'");
    }
}
