//! Parses the command line and runs a subcommand; each has a file.

mod chat;
mod check;
mod completions;
mod config;
mod examples;
pub(crate) mod exec;
mod explain;
mod inspect;
mod key;
mod load;
mod logs;
mod man;
mod pin;
mod requests;
mod serve;
mod status;
mod top;
mod version;
mod wrap;

use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use paddock_server::config::{Listen, ModelFlag, Overrides};

use crate::admin::ModelAction;
use crate::exit::Exit;

/// A managed runtime for local language models.
#[derive(Debug, Parser)]
#[command(name = "paddock", version, arg_required_else_help = true, after_help = examples::PADDOCK)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the configured models.
    #[command(after_help = examples::SERVE)]
    Serve(ConfigArgs),
    /// Put an existing llama-server command behind paddock, at the same address.
    #[command(after_help = examples::WRAP)]
    Wrap(wrap::WrapArgs),
    /// Say everything that serve would refuse or leave out, all at once; touch nothing.
    #[command(after_help = examples::CHECK)]
    Check(check::CheckArgs),
    /// Print an example or the schema of the configuration file.
    #[command(after_help = examples::CONFIG)]
    Config(config::ConfigCommand),
    /// Print what a model file holds, and what it takes in memory.
    #[command(after_help = examples::INSPECT)]
    Inspect(inspect::InspectArgs),
    /// Print which models there are and how each is doing.
    #[command(visible_alias = "ps", after_help = examples::STATUS)]
    Status(status::StatusArgs),
    /// Show live what is loaded, in memory and in flight, and load and unload.
    #[command(after_help = examples::TOP)]
    Top(top::TopArgs),
    /// Talk to a model.
    #[command(after_help = examples::CHAT)]
    Chat(chat::ChatArgs),
    /// Load a model.
    #[command(after_help = examples::LOAD)]
    Load(load::LoadArgs),
    /// Unload a model when what is in flight to it has ended.
    #[command(after_help = examples::UNLOAD)]
    Unload(load::LoadArgs),
    /// Keep a model in memory once it is loaded, whoever waits for its place and however idle it is.
    #[command(after_help = examples::PIN)]
    Pin(pin::PinArgs),
    /// Let a pinned model go again like any other.
    #[command(after_help = examples::UNPIN)]
    Unpin(pin::PinArgs),
    /// Say why a model is where it is, or what became of a request.
    #[command(after_help = examples::EXPLAIN)]
    Explain(explain::ExplainArgs),
    /// Print what a model's llama-server writes.
    #[command(after_help = examples::LOGS)]
    Logs(logs::LogsArgs),
    /// Print the requests that have ended: times, tokens, outcome.
    #[command(after_help = examples::REQUESTS)]
    Requests(requests::RequestsArgs),
    /// Make, list and revoke API keys.
    #[command(after_help = examples::KEY)]
    Key(key::KeyCommand),
    /// Print a completion script for a shell.
    #[command(after_help = examples::COMPLETIONS)]
    Completions(completions::CompletionsArgs),
    /// Print or write the manual, for packages.
    #[command(hide = true)]
    Man(man::ManArgs),
    /// Print the version.
    #[command(after_help = examples::VERSION)]
    Version,
}

/// Flags of commands that read a configuration.
#[derive(Debug, Args)]
struct ConfigArgs {
    /// The configuration file.
    ///
    /// Without it the first of `./paddock.toml`, `$XDG_CONFIG_HOME/paddock/paddock.toml` and
    /// `/etc/paddock/paddock.toml` is read; without any of them the flags alone count.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A model to serve; without a name it is called as its file is. Can be given several times.
    #[arg(long, value_name = "PATH|NAME=PATH", value_parser = OsStringValueParser::new().map(|text| ModelFlag::from(&*text)))]
    model: Vec<ModelFlag>,
    /// A directory: every *.gguf file below it is a model that is called as the file is. Can be given
    /// several times.
    #[arg(long, value_name = "DIR")]
    models_dir: Vec<PathBuf>,
    /// Where clients connect: HOST:PORT or unix:PATH. Can be given several times.
    #[arg(long, value_name = "ADDR")]
    listen: Vec<Listen>,
    #[command(flatten)]
    common: CommonArgs,
}

/// Flags of commands that serve.
#[derive(Debug, Args)]
struct CommonArgs {
    /// Where the operator connects: HOST:PORT or unix:PATH. Can be given several times.
    #[arg(long, value_name = "ADDR")]
    admin: Vec<Listen>,
    /// Allow addresses that are open to every network, such as 0.0.0.0:8080.
    #[arg(long)]
    allow_public: bool,
    /// What is logged: a level, or TARGET=LEVEL pairs with commas between.
    #[arg(long, value_name = "FILTER", env = "PADDOCK_LOG")]
    log: Option<String>,
}

impl ConfigArgs {
    fn overrides(self) -> (Option<PathBuf>, Overrides) {
        let mut overrides = self.common.overrides();
        overrides.models = self.model;
        overrides.models_dirs = self.models_dir;
        overrides.listen = self.listen;
        (self.config, overrides)
    }
}

impl CommonArgs {
    fn overrides(self) -> Overrides {
        Overrides {
            admin: self.admin,
            allow_public: self.allow_public,
            log: self.log,
            ..Overrides::default()
        }
    }
}

/// Runs a command.
pub(crate) fn run(cli: Cli) -> Exit {
    match cli.command {
        Command::Serve(args) => serve::run(args),
        Command::Wrap(args) => wrap::run(args),
        Command::Check(args) => check::run(args),
        Command::Config(command) => config::run(&command),
        Command::Inspect(args) => inspect::run(&args),
        Command::Status(args) => status::run(args),
        Command::Top(args) => top::run(args),
        Command::Chat(args) => chat::run(args),
        Command::Load(args) => load::run(args, ModelAction::Load),
        Command::Unload(args) => load::run(args, ModelAction::Unload),
        Command::Pin(args) => pin::run(args, ModelAction::Pin),
        Command::Unpin(args) => pin::run(args, ModelAction::Unpin),
        Command::Explain(args) => explain::run(args),
        Command::Logs(args) => logs::run(args),
        Command::Requests(args) => requests::run(args),
        Command::Key(command) => key::run(command),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
        Command::Version => version::run(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn each_command_has_examples_and_each_can_be_typed() {
        let paddock = Cli::command();
        let shown = paddock.get_subcommands().filter(|it| !it.is_hide_set());
        let keys = paddock.find_subcommand("key").unwrap().get_subcommands();
        let keys = keys.filter(|it| it.get_name() != "help");
        for command in shown.chain([&paddock]).chain(keys) {
            let help = command.get_after_help();
            let help = help.map(ToString::to_string).unwrap_or_default();
            let name = command.get_name();
            assert!(help.starts_with("Examples:\n  paddock"), "{name}");
            for line in help.lines().skip(1) {
                let line = line.trim().split(" > ").next().unwrap_or_default();
                let line = line.split(" < ").next().unwrap_or_default();
                let line = line.split("  ").next().unwrap_or_default();
                // Every second part stands between quotes and is one word.
                let parts = line.split('\'').enumerate();
                let words = parts.flat_map(|(at, part)| match at % 2 {
                    0 => part.split_whitespace().collect(),
                    _ => vec![part],
                });
                if let Err(error) = Cli::try_parse_from(words) {
                    panic!("{line}: {error}");
                }
            }
        }
    }
}
