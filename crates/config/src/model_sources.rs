//! Reads which models a file configures, and where they come from, for commands that get or delete models: they must
//! work while those models are missing, or the engine is.

use std::path::Path;

use paddock_models::ModelSource;
use toml::de::DeTable;

use super::Problem;
use super::problem::Problems;
use super::problem_report::ProblemReport;
use super::raw;
use super::source_text::SourceText;

/// A configured model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfiguredModel {
    /// The name.
    pub name: String,
    /// Other names.
    pub aliases: Vec<String>,
    /// The source; `None` for a model that is configured by its file.
    pub source: Option<ModelSource>,
}

impl ConfiguredModel {
    /// Returns whether `name` is the model's name or an alias.
    pub fn has_name(&self, name: &str) -> bool {
        self.name == name || self.aliases.iter().any(|alias| alias == name)
    }
}

/// Returns the models of a file's `[models]`, in the file's order.
///
/// # Errors
///
/// The file is not TOML, or a key has an invalid value. Whether files exist is not checked.
pub fn configured_models(text: &str, file: &Path) -> Result<Vec<ConfiguredModel>, Problems> {
    let source = SourceText { file, text };
    let report = ProblemReport::new(source);
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let span = error.span().map(|span| source.span(&span));
        report.push(Problem::new(error.message()).span(span));
    }
    let raw = errors
        .is_empty()
        .then(|| raw::read(&report, table.get_ref()));
    match Problems::new(report.into_parts().0) {
        Some(problems) => Err(problems),
        None => Ok(raw
            .into_iter()
            .flat_map(|raw| raw.models)
            .map(configured_model)
            .collect()),
    }
}

fn configured_model(
    (name, model): (super::key_reader::Sourced<String>, raw::RawModel),
) -> ConfiguredModel {
    let aliases = model.aliases.into_iter().flat_map(|list| list.value);
    ConfiguredModel {
        name: name.value,
        aliases: aliases.map(|alias| alias.value).collect(),
        source: model.source.map(|at| at.value),
    }
}
