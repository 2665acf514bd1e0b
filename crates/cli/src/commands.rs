//! Parses the command line and runs a subcommand. Each subcommand has a file in `commands/`.

mod chat;
mod check;
mod completions;
mod config;
mod doctor;
mod engine;
mod examples;
pub(crate) mod exec;
mod explain;
mod inspect;
mod key;
mod load;
mod logs;
mod man;
mod models;
mod pin;
mod pull;
mod requests;
mod rm;
mod run;
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
    /// Run an existing llama-server command behind paddock, at the same address.
    #[command(after_help = examples::WRAP)]
    Wrap(wrap::WrapArgs),
    /// Check the configuration: report every error and every skipped file, without starting anything.
    #[command(after_help = examples::CHECK)]
    Check(check::CheckArgs),
    /// Print an example configuration file or its JSON Schema.
    #[command(after_help = examples::CONFIG)]
    Config(config::ConfigCommand),
    /// Print a model file's metadata and its estimated memory use.
    #[command(after_help = examples::INSPECT)]
    Inspect(inspect::InspectArgs),
    /// List the models and their status.
    #[command(visible_alias = "ps", after_help = examples::STATUS)]
    Status(status::StatusArgs),
    /// Show models, memory and requests live; load, unload and pin models.
    #[command(after_help = examples::TOP)]
    Top(top::TopArgs),
    /// Chat with a model.
    #[command(after_help = examples::CHAT)]
    Chat(chat::ChatArgs),
    /// Load a model.
    #[command(after_help = examples::LOAD)]
    Load(load::LoadArgs),
    /// Unload a model after its requests in flight have finished.
    #[command(after_help = examples::UNLOAD)]
    Unload(load::LoadArgs),
    /// Pin a model: once loaded, it is neither evicted nor unloaded when idle.
    #[command(after_help = examples::PIN)]
    Pin(pin::PinArgs),
    /// Unpin a model, so that it can be evicted and unloaded when idle.
    #[command(after_help = examples::UNPIN)]
    Unpin(pin::PinArgs),
    /// Explain a model's current status or a request's outcome.
    #[command(after_help = examples::EXPLAIN)]
    Explain(explain::ExplainArgs),
    /// Print the output of a model's llama-server.
    #[command(after_help = examples::LOGS)]
    Logs(logs::LogsArgs),
    /// List finished requests with their times, tokens and outcome.
    #[command(after_help = examples::REQUESTS)]
    Requests(requests::RequestsArgs),
    /// Create, list and revoke API keys.
    #[command(after_help = examples::KEY)]
    Key(key::KeyCommand),
    /// Download models from Hugging Face or a URL.
    #[command(after_help = examples::PULL)]
    Pull(pull::PullArgs),
    /// List the models on disk.
    #[command(after_help = examples::MODELS)]
    Models(models::ModelsArgs),
    /// Delete a model from disk.
    #[command(after_help = examples::RM)]
    Rm(rm::RmArgs),
    /// Get a model, load it and chat with it: from nothing to an answer.
    #[command(after_help = examples::RUN)]
    Run(run::RunArgs),
    /// List, install, choose and remove llama-server releases.
    #[command(after_help = examples::ENGINE)]
    Engine(engine::EngineCommand),
    /// Check this machine: engine, devices, memory and models.
    #[command(after_help = examples::DOCTOR)]
    Doctor(doctor::DoctorArgs),
    /// Print a shell completion script.
    #[command(after_help = examples::COMPLETIONS)]
    Completions(completions::CompletionsArgs),
    /// Print or write the man pages, for packages.
    #[command(hide = true)]
    Man(man::ManArgs),
    /// Print the version.
    #[command(after_help = examples::VERSION)]
    Version(version::VersionArgs),
}

/// Flags of commands that read a configuration.
#[derive(Debug, Args)]
struct ConfigArgs {
    /// Path of the configuration file.
    ///
    /// Default: the first of `./paddock.toml`, `$XDG_CONFIG_HOME/paddock/paddock.toml` and
    /// `/etc/paddock/paddock.toml` that exists; if none exists, paddock uses only the flags.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A model file to serve. Without NAME, the model is named after the file. Can be repeated.
    #[arg(long, value_name = "PATH|NAME=PATH", value_parser = OsStringValueParser::new().map(|text| ModelFlag::from(&*text)))]
    model: Vec<ModelFlag>,
    /// A directory of models: every *.gguf file below it is served under the file's name. Can be repeated.
    #[arg(long, value_name = "DIR")]
    models_dir: Vec<PathBuf>,
    /// Address for clients: HOST:PORT or unix:PATH. Can be repeated.
    #[arg(long, value_name = "ADDR")]
    listen: Vec<Listen>,
    #[command(flatten)]
    common: CommonArgs,
}

/// Flags of commands that serve.
#[derive(Debug, Args)]
struct CommonArgs {
    /// Address for operators (dashboard, metrics, admin API): HOST:PORT or unix:PATH. Can be repeated.
    #[arg(long, value_name = "ADDR")]
    admin: Vec<Listen>,
    /// Allow listening on all network interfaces, such as 0.0.0.0:8080.
    #[arg(long)]
    allow_public: bool,
    /// Log filter: a level, or comma-separated TARGET=LEVEL pairs.
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
        Command::Pull(args) => pull::run(args),
        Command::Models(args) => models::run(&args),
        Command::Rm(args) => rm::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Engine(command) => engine::run(command),
        Command::Doctor(args) => doctor::run(args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
        Command::Version(args) => version::run(&args),
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
        let below = ["key", "engine"].into_iter().flat_map(|name| {
            let below = paddock.find_subcommand(name).unwrap().get_subcommands();
            below.filter(|it| it.get_name() != "help")
        });
        for command in shown.chain([&paddock]).chain(below) {
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
