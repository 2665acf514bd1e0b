//! `paddock pull`: downloads models.

mod report;

use std::path::PathBuf;

use clap::Args;
use paddock_models::{HubModel, ModelSource, SourceError, StoreDirs};
use paddock_server::MachineMemory;
use paddock_server::config::configured_models;
use tokio::runtime::Builder;

use crate::exit::Exit;
use crate::model_pull::{PullError, Puller};
use crate::transfer_progress::ProgressFormat;
use crate::{config_file, output, service, threads};

/// Flags of `paddock pull`.
#[derive(Debug, Args)]
pub(super) struct PullArgs {
    /// The model to download: hf:USER/REPO:QUANT, hf:USER/REPO or the URL of a GGUF file.
    ///
    /// Without QUANT, lists the quantisations of the repository with their sizes, and which of them fit this machine;
    /// if there is only one, downloads it. Without any SOURCE, downloads every model that the configuration names by
    /// `source`.
    #[arg(value_name = "SOURCE", value_parser = parse_source)]
    sources: Vec<ModelSource>,
    /// Path of the configuration file, if no SOURCE is given.
    #[arg(long, value_name = "FILE", conflicts_with = "sources")]
    config: Option<PathBuf>,
    /// Print JSON: one object a line for each event.
    #[arg(long)]
    json: bool,
}

/// The treatment of a repository of which no quantisation is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unnamed {
    /// List the quantisations.
    List,
    /// Download the default one, as the configuration means it.
    TakeDefault,
}

fn parse_source(text: &str) -> Result<ModelSource, String> {
    let with_help = |error: SourceError| format!("{error}\n  = help: {}", error.help());
    text.parse().map_err(with_help)
}

/// Downloads models.
pub(super) fn run(args: PullArgs) -> Exit {
    let (sources, unnamed) = if args.sources.is_empty() {
        match configured_sources(&args) {
            Ok(sources) => (sources, Unnamed::TakeDefault),
            Err(exit) => return exit,
        }
    } else {
        (args.sources, Unnamed::List)
    };
    match pull_all(&sources, unnamed, args.json) {
        Ok(exit) => exit,
        Err(error) => report::print_failure(None, &error, args.json),
    }
}

/// Returns the sources that the configuration names.
fn configured_sources(args: &PullArgs) -> Result<Vec<ModelSource>, Exit> {
    let invalid = |problems| {
        service::print_problems(&problems);
        Exit::Config
    };
    let Some(text) = config_file::read_text(args.config.as_deref()).map_err(invalid)? else {
        output::print_error(
            "error: no source is given, and there is no configuration file\n  = help: write `paddock pull \
             hf:USER/REPO`",
        );
        return Err(Exit::Usage);
    };
    let models = configured_models(&text.text, &text.file).map_err(invalid)?;
    let mut sources: Vec<ModelSource> = Vec::new();
    for source in models.into_iter().filter_map(|model| model.source) {
        if !sources.contains(&source) {
            sources.push(source);
        }
    }
    if sources.is_empty() {
        let file = text.file.display();
        output::print_error(&format!(
            "{file} names no model by `source`: there is nothing to download"
        ));
    }
    Ok(sources)
}

/// Pulls one source after the other. A failure does not keep the others from being pulled.
fn pull_all(sources: &[ModelSource], unnamed: Unnamed, json: bool) -> Result<Exit, PullError> {
    // Host names are resolved and files synchronized on threads.
    threads::ensure_available(1)?;
    let dirs = StoreDirs::current().ok_or(PullError::NoDirectories)?;
    let puller = Puller::new(dirs, ProgressFormat::detect(json))?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let exit = runtime.block_on(async {
        let mut exit = Exit::Done;
        for source in sources {
            let result = tokio::select! {
                result = pull_one(&puller, source, unnamed, json) => result,
                // Dropping the pull records what has arrived.
                _ = tokio::signal::ctrl_c() => Err(PullError::Interrupted),
            };
            if let Err(error) = result {
                exit = report::print_failure(Some(source), &error, json);
                if matches!(error, PullError::Interrupted) {
                    break;
                }
            }
        }
        exit
    });
    // A name lookup that hangs must not delay the exit.
    runtime.shutdown_background();
    Ok(exit)
}

async fn pull_one(
    puller: &Puller,
    source: &ModelSource,
    unnamed: Unnamed,
    json: bool,
) -> Result<(), PullError> {
    let (taken, pulled) = match (source, unnamed) {
        (ModelSource::Hub(model @ HubModel { variant: None, .. }), Unnamed::List) => {
            let found = puller.list(model).await?;
            let [only] = &*found.variants else {
                if !found.variants.is_empty() {
                    let memory = puller.predict_memory(model, &found).await;
                    report::print_variants(
                        model,
                        &found.variants,
                        &memory,
                        &MachineMemory::read(),
                        json,
                    );
                    return Ok(());
                }
                return puller.pull(source).await.map(drop);
            };
            let pulled = puller.pull_variant(model, &found.listing, only).await?;
            (source.clone(), pulled)
        }
        _ => puller.pull(source).await?,
    };
    report::print_pulled(source, &taken, &pulled, json);
    Ok(())
}
