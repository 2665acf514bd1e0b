//! `paddock models`: lists the models on disk, and those that the configuration names and that are not.

use std::path::PathBuf;

use clap::Args;
use paddock_models::{LocalModel, ModelSource, StoreDirs, Unfinished, find, list, list_unfinished};
use paddock_server::config::ConfiguredModel;
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::format::format_bytes;
use crate::table::{ColumnWidths, fill_empty, join_with_tabs};
use crate::{config_file, output, service};

/// Flags of `paddock models`.
#[derive(Debug, Args)]
pub(super) struct ModelsArgs {
    /// Path of the configuration file, whose models are named.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Titles of the columns.
const TABLE_HEAD: [&str; 4] = ["SOURCE", "SIZE", "CONFIGURED AS", "FILE"];

/// A line of the list.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    source: ModelSource,
    /// The files; `None` if the model is not on disk.
    local: Option<LocalModel>,
    /// The bytes of an unfinished download of any model of the source.
    unfinished: Option<u64>,
    /// Names of the configured models with these files.
    names: Vec<String>,
}

/// Prints a table of models: aligned, with a head, on a terminal; tab-separated in a pipe.
pub(super) fn run(args: &ModelsArgs) -> Exit {
    let configured = match config_file::read_models(args.config.as_deref()) {
        Ok((_, models)) => models,
        Err(problems) => {
            service::print_problems(&problems);
            return Exit::Config;
        }
    };
    let Some(dirs) = StoreDirs::current() else {
        output::print_error(super::rm::NO_DIRECTORIES);
        return Exit::Failed;
    };
    let entries = entries(list(&dirs), list_unfinished(&dirs), &configured, |source| {
        find(source, &dirs).ok()
    });
    if args.json {
        let models: Vec<_> = entries.iter().map(entry_json).collect();
        output::print(&format!("{:#}", json!({ "models": models })));
        return Exit::Done;
    }
    let rows: Vec<_> = entries.iter().map(entry_row).collect();
    if !output::is_terminal() {
        output::print_lines(&join_with_tabs(&rows));
    } else if rows.is_empty() {
        output::print_lines("no models: `paddock pull hf:USER/REPO` downloads one\n");
    } else {
        let mut columns = ColumnWidths::new(&TABLE_HEAD);
        let rows = columns.align(&rows);
        output::print_lines(&(columns.align(&[TABLE_HEAD]) + &rows));
    }
    Exit::Done
}

/// Assigns the names of the configuration to the models on disk, and adds what is unfinished and the configured models
/// that are missing.
fn entries(
    models: Vec<LocalModel>,
    unfinished: Vec<Unfinished>,
    configured: &[ConfiguredModel],
    find: impl Fn(&ModelSource) -> Option<LocalModel>,
) -> Vec<Entry> {
    let mut entries: Vec<_> = models
        .into_iter()
        .map(|model| Entry {
            source: model.source.clone(),
            local: Some(model),
            unfinished: None,
            names: Vec::new(),
        })
        .collect();
    entries.extend(unfinished.into_iter().map(|unfinished| Entry {
        source: unfinished.source,
        local: None,
        unfinished: Some(unfinished.size),
        names: Vec::new(),
    }));
    for model in configured {
        let Some(source) = &model.source else {
            continue;
        };
        let name = model.name.clone();
        let found = find(source).map_or_else(|| source.clone(), |found| found.source);
        match entries.iter_mut().find(|entry| entry.source == found) {
            Some(entry) => entry.names.push(name),
            None => entries.push(Entry {
                source: found,
                local: None,
                unfinished: None,
                names: vec![name],
            }),
        }
    }
    entries
}

fn entry_row(entry: &Entry) -> [String; 4] {
    let local = entry.local.as_ref();
    let file = match (local, entry.unfinished) {
        (Some(local), _) => local.path().display().to_string(),
        (None, Some(_)) => "unfinished".to_owned(),
        (None, None) => "not on disk".to_owned(),
    };
    let size = local.map(|local| local.size).or(entry.unfinished);
    fill_empty([
        Some(output::printable(&entry.source.to_string())),
        size.map(format_bytes),
        (!entry.names.is_empty()).then(|| entry.names.join(",")),
        Some(output::printable(&file)),
    ])
}

fn entry_json(entry: &Entry) -> Value {
    let local = entry.local.as_ref();
    json!({
        "source": entry.source.to_string(),
        "on_disk": local.is_some(),
        "size": local.map(|local| local.size),
        "unfinished": entry.unfinished,
        "files": local.map(|local| &local.files),
        "projector": local.and_then(|local| local.projector.as_ref()),
        "configured_as": entry.names,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(source: &str) -> LocalModel {
        LocalModel {
            source: source.parse().unwrap(),
            files: vec!["/hub/m.gguf".into()],
            projector: None,
            size: 2048,
        }
    }

    fn configured(name: &str, source: Option<&str>) -> ConfiguredModel {
        ConfiguredModel {
            name: name.to_owned(),
            aliases: Vec::new(),
            source: source.map(|source| source.parse().unwrap()),
        }
    }

    #[test]
    fn configured_names_stand_with_their_files_and_missing_models_last() {
        let models = vec![local("hf:u/r:Q4_0"), local("hf:u/r:Q8_0")];
        let configured = [
            configured("a", Some("hf:u/r")),
            configured("b", Some("hf:u/other")),
            configured("c", None),
            configured("d", Some("hf:u/r:q4_0")),
        ];
        let find = |source: &ModelSource| {
            source
                .to_string()
                .starts_with("hf:u/r")
                .then(|| local("hf:u/r:Q4_0"))
        };
        let unfinished = vec![Unfinished {
            source: "hf:u/big".parse().unwrap(),
            size: 1024,
        }];
        let rows: Vec<_> = entries(models, unfinished, &configured, find)
            .iter()
            .map(entry_row)
            .collect();
        assert_eq!(
            rows,
            [
                ["hf:u/r:Q4_0", "2.0 KiB", "a,d", "/hub/m.gguf"],
                ["hf:u/r:Q8_0", "2.0 KiB", "-", "/hub/m.gguf"],
                ["hf:u/big", "1.0 KiB", "-", "unfinished"],
                ["hf:u/other", "-", "b", "not on disk"],
            ]
        );
    }
}
