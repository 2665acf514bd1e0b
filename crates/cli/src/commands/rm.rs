//! `paddock rm`: deletes a model that was downloaded.

use std::io::{self, BufRead, IsTerminal};
use std::path::Path;

use clap::Args;
use paddock_api::{ModelStatus, Status};
use paddock_models::{ModelSource, NotOnDisk, Removal, RemoveError, SourceError, StoreDirs, find};
use paddock_server::config::{ConfiguredModel, Problems};

use crate::admin::{self, AdminArgs, CommandError};
use crate::exit::Exit;
use crate::format::format_bytes;
use crate::{config_file, output};

/// Flags of `paddock rm`.
#[derive(Debug, Args)]
pub(super) struct RmArgs {
    /// `hf:USER/REPO:QUANT`, `hf:USER/REPO` for all models of the repository, a URL, or the name of a configured model.
    model: String,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

/// The message if no variable tells where models are.
pub(super) const NO_DIRECTORIES: &str =
    "error: no directory for models is known: HOME is not set\n  = help: set HOME or HF_HOME";

/// A reason why nothing is deleted.
#[derive(Debug, thiserror::Error)]
enum RmError {
    #[error("{0}\n  = help: {help}", help = .0.help())]
    Source(#[from] SourceError),
    #[error(
        "{0} is a file\n  = help: paddock deletes only what it has downloaded; to delete a file: rm {0}"
    )]
    File(String),
    #[error(
        "the configuration names `{0}` by its file\n  = help: paddock deletes only what it has downloaded"
    )]
    ConfiguredFile(String),
    #[error("{0}\n  = help: `paddock models` lists the models on disk")]
    NotOnDisk(#[from] NotOnDisk),
    #[error("{0} is {1}\n  = help: `paddock unload {0}` unloads it")]
    Loaded(String, &'static str),
    #[error("standard input is no terminal, so nobody can confirm\n  = help: add --yes")]
    Unconfirmed,
    #[error(transparent)]
    Remove(#[from] RemoveError),
    #[error("{0}")]
    Config(#[from] Problems),
    #[error(transparent)]
    Admin(#[from] CommandError),
    #[error("cannot read the answer: {0}")]
    Input(#[from] io::Error),
}

impl RmError {
    fn exit_code(&self) -> Exit {
        match self {
            Self::Source(_) | Self::Unconfirmed => Exit::Usage,
            Self::Config(_) => Exit::Config,
            Self::Admin(error) => error.exit_code(),
            _ => Exit::Failed,
        }
    }
}

/// Deletes the model after a confirmation.
pub(super) fn run(args: &RmArgs) -> Exit {
    let Some(dirs) = StoreDirs::current() else {
        output::print_error(NO_DIRECTORIES);
        return Exit::Failed;
    };
    match admin::block_on(remove(args, &dirs)) {
        Ok(true) => Exit::Done,
        Ok(false) => Exit::Failed,
        Err(error) => {
            output::print_error(&format!("error: {error}"));
            error.exit_code()
        }
    }
}

/// Returns whether the model was deleted.
async fn remove(args: &RmArgs, dirs: &StoreDirs) -> Result<bool, RmError> {
    let (_, configured) = config_file::read_models(None)?;
    let source = model_source(&args.model, &configured)?;
    let removal = Removal::plan(&source, dirs)?;
    if let Some(status) = running_status(&args.admin).await? {
        let names = names_of(&removal, &configured, |source| find(source, dirs).ok());
        check_unloaded(&names, &status)?;
    }
    let mut shown: Vec<_> = removal
        .models
        .iter()
        .map(|model| model.source.to_string())
        .collect();
    if removal.unfinished.is_some() {
        shown.push(format!("an unfinished download of {source}"));
    }
    let (shown, size) = (shown.join(", "), format_bytes(removal.bytes));
    if !args.yes && !confirm(&format!("delete {shown} ({size})?"))? {
        output::print_error("nothing was deleted");
        return Ok(false);
    }
    removal.apply()?;
    output::print_error(&format!(
        "deleted {}: {size} are free",
        output::printable(&shown)
    ));
    Ok(true)
}

/// Returns the source that the user means: as typed, or of a configured model.
fn model_source(text: &str, configured: &[ConfiguredModel]) -> Result<ModelSource, RmError> {
    if ModelSource::is_like(text) {
        return Ok(text.parse()?);
    }
    if let Some(model) = configured.iter().find(|model| model.has_name(text)) {
        let source = model.source.clone();
        return source.ok_or_else(|| RmError::ConfiguredFile(model.name.clone()));
    }
    if Path::new(text).exists() {
        return Err(RmError::File(text.to_owned()));
    }
    // Fails, with the right spelling.
    Ok(text.parse()?)
}

/// Returns the status of the running paddock; `None` if none answers.
async fn running_status(admin: &AdminArgs) -> Result<Option<Status>, CommandError> {
    let answer = async { admin.client().await?.status().await?.read().await };
    match answer.await {
        Ok(status) => Ok(Some(status)),
        Err(CommandError::NoAnswer { .. } | CommandError::NotPaddock { .. })
            if !admin.is_given() =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Returns the names of configured models that use a file to delete.
fn names_of<'a>(
    removal: &Removal,
    configured: &'a [ConfiguredModel],
    find: impl Fn(&ModelSource) -> Option<paddock_models::LocalModel>,
) -> Vec<&'a str> {
    let uses_removed = |model: &&ConfiguredModel| {
        let found = model.source.as_ref().and_then(&find);
        found.is_some_and(|found| {
            removal
                .models
                .iter()
                .any(|removed| removed.source == found.source)
        })
    };
    configured
        .iter()
        .filter(uses_removed)
        .map(|model| model.name.as_str())
        .collect()
}

/// Refuses to delete the files of a model that is in memory.
fn check_unloaded(names: &[&str], status: &Status) -> Result<(), RmError> {
    let mut models = status
        .models
        .iter()
        .filter(|model| names.contains(&model.id.as_str()));
    let loaded =
        models.find(|model| !matches!(model.status, ModelStatus::Unloaded | ModelStatus::Failed));
    match loaded {
        Some(model) => Err(RmError::Loaded(model.id.clone(), model.status.as_str())),
        None => Ok(()),
    }
}

/// Asks at the terminal.
fn confirm(question: &str) -> Result<bool, RmError> {
    if !io::stdin().is_terminal() {
        return Err(RmError::Unconfirmed);
    }
    output::print_error(&format!("{question} [y/N]"));
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}

#[cfg(test)]
mod tests {
    use paddock_api::Model;

    use super::*;

    fn configured(name: &str, source: Option<&str>) -> ConfiguredModel {
        ConfiguredModel {
            name: name.to_owned(),
            aliases: vec![format!("{name}-alias")],
            source: source.map(|source| source.parse().unwrap()),
        }
    }

    #[test]
    fn only_downloaded_models_can_be_deleted() {
        let models = [configured("a", Some("hf:u/r:Q4_0")), configured("b", None)];
        let source = |text: &str| model_source(text, &models).map(|source| source.to_string());
        assert_eq!(source("a").unwrap(), "hf:u/r:Q4_0");
        assert_eq!(source("a-alias").unwrap(), "hf:u/r:Q4_0");
        assert_eq!(source("hf:x/y").unwrap(), "hf:x/y");
        assert!(matches!(source("b"), Err(RmError::ConfiguredFile(_))));
        assert!(matches!(source("/etc/passwd"), Err(RmError::File(_))));
        assert!(matches!(source("../x"), Err(RmError::Source(_))));
        let error = source("u/r").unwrap_err().to_string();
        assert!(error.contains("did you mean `hf:u/r`?"), "{error}");
    }

    #[test]
    fn a_model_in_memory_is_not_deleted() {
        let status = |status| Status {
            models: vec![Model {
                id: "a".to_owned(),
                status,
                ..Model::default()
            }],
            ..Status::default()
        };
        for (now, is_refused) in [
            (ModelStatus::Unloaded, false),
            (ModelStatus::Failed, false),
            (ModelStatus::Loading, true),
            (ModelStatus::Ready, true),
        ] {
            assert_eq!(
                check_unloaded(&["a"], &status(now)).is_err(),
                is_refused,
                "{now:?}"
            );
            check_unloaded(&["b"], &status(now)).unwrap();
        }
    }
}
