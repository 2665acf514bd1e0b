//! `paddock run`: from nothing to an answer. Gets an engine and the model if they are missing, uses the running paddock
//! or starts one that ends with the chat, loads the model, and chats.

mod directory;
mod error;
mod own_paddock;
mod serve_command;
mod target;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use paddock_api::Status;
use paddock_models::{ModelSource, StoreDirs, find};
use paddock_server::config::{ConfiguredModel, default_engine};
use tokio::signal::ctrl_c;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use self::error::RunError;
use self::own_paddock::OwnPaddock;
use self::serve_command::ServedModel;
use self::target::Target;
use super::chat::{Prompt, chat_with, read_prompt};
use super::load::load_with_progress;
use crate::admin::{self, AdminArgs, AdminClient, CommandError};
use crate::engine_install::{InstallRequest, install};
use crate::exit::Exit;
use crate::model_pull::Puller;
use crate::transfer_progress::ProgressFormat;
use crate::{config_file, output};

/// Longest wait for the status from the default address, where another program may listen.
const DEFAULT_ADDRESS_TIMEOUT: Duration = Duration::from_secs(2);

/// Flags of `paddock run`.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// A model file, the name of a configured model, `hf:USER/REPO[:QUANT]`, or the URL of a model file.
    model: String,
    /// The prompt, or `-` to read the prompt from standard input. Otherwise, piped standard input is appended to
    /// the prompt.
    ///
    /// Without a prompt on a terminal, `paddock run` starts a conversation: Ctrl-C stops an answer, Ctrl-D ends the
    /// conversation.
    prompt: Option<String>,
    /// Leave a paddock that this command has started running.
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

/// Answers one prompt, or runs a conversation at a terminal.
pub(super) fn run(args: &RunArgs) -> Exit {
    let prompt = match read_prompt(args.prompt.as_deref()) {
        Ok(prompt) => prompt,
        Err(error) => {
            output::print_error(&format!("error: {error}"));
            return Exit::Failed;
        }
    };
    match admin::block_on(find_and_chat(args, prompt)) {
        Ok(()) => Exit::Done,
        Err(error) => {
            match &error {
                // Each problem begins with its severity.
                RunError::Config(problems) => output::print_error(&problems.to_string()),
                other => output::print_error(&format!("error: {other}")),
            }
            error.exit_code()
        }
    }
}

/// Finds out what MODEL means and which paddock serves it.
async fn find_and_chat(args: &RunArgs, prompt: Prompt) -> Result<(), RunError> {
    let (config, configured) = match config_file::read_models(None) {
        Ok(read) => read,
        Err(_) if is_no_configured_name(&args.model) => {
            output::print_error(
                "warning: the configuration has problems and is not used; `paddock check` shows them",
            );
            (None, Vec::new())
        }
        Err(problems) => return Err(problems.into()),
    };
    let running = interruptible(running_paddock(&args.admin)).await?;
    let served: Vec<&str> = running
        .iter()
        .flat_map(|(_, status)| status_names(status))
        .collect();
    let target = Target::parse(&args.model, &configured, &served)?;
    if let (Some((client, _)), Some(name)) = (&running, target.served_name(&configured, &served)) {
        let source = configured_source(&configured, name);
        if let Some(source) = source
            && ensure_on_disk(source).await?
        {
            interruptible(client.reload()).await?;
        }
        return load_and_chat(client, name, prompt).await;
    }
    if let Some((client, _)) = &running {
        let address = client.address();
        output::print_error(&format!(
            "the paddock at {address} does not serve {}; starting another one beside it",
            output::printable(&args.model)
        ));
    }
    let model = served_model(target, &configured, config)?;
    start_and_chat(args, model, prompt).await
}

/// Gets what is missing, starts a paddock, and chats.
async fn start_and_chat(
    args: &RunArgs,
    model: ServedModel,
    prompt: Prompt,
) -> Result<(), RunError> {
    if let Some(source) = model.source() {
        ensure_on_disk(source).await?;
    }
    ensure_engine(&model).await?;
    let mut paddock = OwnPaddock::start(&model, args.keep)?;
    let chatted = async {
        let client = args.admin.client_at(paddock.address());
        let status = interruptible(paddock.wait_until_ready(&client)).await?;
        let first = status.models.first().map(|model| model.id.clone());
        let name = model.name().map(str::to_owned).or(first);
        load_and_chat(&client, &name.unwrap_or_default(), prompt).await
    };
    // A signal that would end this process at once would leave the directory behind.
    let chatted = tokio::select! {
        biased;
        () = terminated() => Err(CommandError::Interrupted.into()),
        chatted = chatted => chatted,
    };
    if args.keep && chatted.is_ok() {
        output::print_error(&paddock.keep());
        return Ok(());
    }
    paddock.stop().await;
    chatted
}

/// Returns the client and the status of the running paddock. An error counts only if the user has given an address.
async fn running_paddock(admin: &AdminArgs) -> Result<Option<(AdminClient, Status)>, CommandError> {
    let found = async {
        let client = admin.client().await?;
        let status = client.status().await?.read().await?;
        Ok((client, status))
    };
    if admin.is_given() {
        return found.await.map(Some);
    }
    let found = timeout(DEFAULT_ADDRESS_TIMEOUT, found).await;
    Ok(found.ok().and_then(Result::ok))
}

/// Returns true if MODEL is a source or a file, whatever the configuration contains.
fn is_no_configured_name(model: &str) -> bool {
    ModelSource::is_like(model) || Path::new(model).is_file()
}

fn status_names(status: &Status) -> impl Iterator<Item = &str> {
    let models = status.models.iter();
    models.flat_map(|model| model.aliases.iter().chain([&model.id]).map(String::as_str))
}

fn configured_source<'a>(configured: &'a [ConfiguredModel], name: &str) -> Option<&'a ModelSource> {
    let model = configured.iter().find(|model| model.has_name(name))?;
    model.source.as_ref()
}

/// Returns the model for a paddock of this command.
fn served_model(
    target: Target,
    configured: &[ConfiguredModel],
    config: Option<PathBuf>,
) -> Result<ServedModel, RunError> {
    Ok(match target {
        Target::File(path) => ServedModel::File(path),
        Target::Source(source) => ServedModel::Source(source),
        Target::Name(name) => {
            let source = configured_source(configured, &name).cloned();
            // Only a configuration file or a running paddock has names.
            let config = config.ok_or_else(|| RunError::UnknownName(name.clone()))?;
            ServedModel::Configured {
                config,
                name,
                source,
            }
        }
    })
}

/// Downloads the model if it is not on disk, and returns whether it was not.
async fn ensure_on_disk(source: &ModelSource) -> Result<bool, RunError> {
    let dirs = StoreDirs::current().ok_or(RunError::NoDirectories)?;
    if find(source, &dirs).is_ok() {
        return Ok(false);
    }
    let puller = Puller::new(dirs, ProgressFormat::detect(false))?;
    interruptible(puller.pull(source)).await?;
    Ok(true)
}

/// Installs an engine if there is none.
async fn ensure_engine(model: &ServedModel) -> Result<(), RunError> {
    if default_engine().is_some() || model.configures_engine() {
        return Ok(());
    }
    output::print_error("no llama-server is installed; getting one");
    let request = InstallRequest::default();
    interruptible(Box::pin(install(&request))).await?;
    Ok(())
}

/// Loads a model with progress on standard error, then chats with it.
async fn load_and_chat(client: &AdminClient, name: &str, prompt: Prompt) -> Result<(), RunError> {
    interruptible(load_with_progress(client, name)).await?;
    chat_with(client, name, prompt).await?;
    Ok(())
}

/// Waits for SIGTERM, or for SIGHUP, which the end of a terminal sends.
async fn terminated() {
    let (Ok(mut terminate), Ok(mut hangup)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::hangup()),
    ) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
}

/// Ends work that the user interrupts.
async fn interruptible<T, E>(work: impl Future<Output = Result<T, E>>) -> Result<T, RunError>
where
    RunError: From<E>,
{
    tokio::select! {
        biased;
        _ = ctrl_c() => Err(CommandError::Interrupted.into()),
        done = work => Ok(done?),
    }
}
