//! A run from its start to the page.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::cases;
use crate::chart;
use crate::growth;
use crate::instructions;
use crate::machine;
use crate::options::{Instructions, Options};
use crate::results::Results;
use crate::rows;
use crate::say;
use crate::subjects::{self, Place, Subjects};
use crate::table;

/// The page around the table.
const PAGE: &str = include_str!("performance.md.in");

/// Where the picture lies, seen from the page.
const CHART: &str = "images/performance.svg";

/// Measures, prints the table, and writes the page if it is to be written.
pub(crate) async fn make(options: &Options) -> Result<()> {
    if let Some(what) = options.instructions {
        let program = subjects::program(options)?;
        let place = Place::new()?;
        return instructions::check(&program, &place, what == Instructions::Keep).await;
    }
    let subjects = Subjects::start(options).await?;
    let load = machine::load();
    let mut results = Results::default();
    for case in options.cases() {
        cases::run(case, &subjects, options, &mut results).await?;
    }
    let tables = Tables::render(&results);
    say::result(&tables.all());
    if let Some(path) = options.page() {
        let text = PAGE
            .replace("{machine}", &machine::describe())
            .replace("{load}", &load)
            .replace("{rounds}", &options.rounds.to_string())
            .replace("{seconds}", &options.seconds.to_string())
            .replace("{nginx}", &subjects.nginx)
            .replace("{haproxy}", &subjects.haproxy)
            .replace("{growth}", shown(&tables.growth))
            .replace("{peers}", shown(&tables.peers))
            .replace("{real}", shown(&tables.real))
            .replace("{table}", shown(&tables.main));
        write(&path, &text)?;
        if let Some(picture) = chart::render(&results) {
            write(&path.with_file_name(CHART), &picture)?;
        }
    }
    Ok(())
}

/// Writes a file, with the directory that it is to lie in.
fn write(path: &Path, text: &str) -> Result<()> {
    let written = match path.parent() {
        Some(directory) => fs::create_dir_all(directory).and_then(|()| fs::write(path, text)),
        None => fs::write(path, text),
    };
    written.with_context(|| path.display().to_string())
}

/// What was measured, as Markdown.
#[derive(Debug)]
struct Tables {
    main: String,
    growth: String,
    peers: String,
    real: String,
}

impl Tables {
    fn render(results: &Results) -> Self {
        Self {
            main: table::render(results, rows::GROUPS, &table::MAIN),
            growth: growth::render(results),
            peers: table::render(results, rows::GROUPS, &table::PEERS),
            real: table::render(results, rows::REAL, &table::REAL),
        }
    }

    fn all(&self) -> String {
        let tables = [&self.main, &self.growth, &self.peers, &self.real];
        let tables = tables.map(String::as_str);
        let there: Vec<&str> = tables.into_iter().filter(|it| !it.is_empty()).collect();
        there.join("\n\n")
    }
}

/// A table, or that there is none.
fn shown(table: &str) -> &str {
    if table.is_empty() {
        "Not measured in this run."
    } else {
        table
    }
}
