//! Runs the benchmark from its start to the written page.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::bench_options::{BenchOptions, InstructionMode};
use crate::cases;
use crate::growth_table;
use crate::instructions;
use crate::machine;
use crate::output;
use crate::ratio_table;
use crate::results::RunResults;
use crate::subjects::{self, RunDir, Subjects};
use crate::svg_chart;
use crate::table_rows;

/// The template of the page.
const PAGE_TEMPLATE: &str = include_str!("performance.md.in");

/// The path of the picture, relative to the page.
const CHART_PATH: &str = "images/performance.svg";

/// Measures, prints the tables, and writes the page if requested.
pub(crate) async fn run(options: &BenchOptions) -> Result<()> {
    if let Some(what) = options.instructions {
        let program = subjects::find_program(options)?;
        let run_dir = RunDir::new()?;
        return instructions::check(&program, &run_dir, what == InstructionMode::Keep).await;
    }
    let subjects = Subjects::start(options).await?;
    let load = machine::load_average();
    let mut results = RunResults::default();
    for case in options.cases() {
        cases::run(case, &subjects, options, &mut results).await?;
    }
    let tables = Tables::render(&results);
    output::result(&tables.join_all());
    if let Some(path) = options.page() {
        let text = PAGE_TEMPLATE
            .replace("{machine}", &machine::describe())
            .replace("{load}", &load)
            .replace("{rounds}", &options.rounds.to_string())
            .replace("{seconds}", &options.seconds.to_string())
            .replace("{nginx}", &subjects.nginx)
            .replace("{haproxy}", &subjects.haproxy)
            .replace("{growth}", table_or_placeholder(&tables.growth))
            .replace("{peers}", table_or_placeholder(&tables.peers))
            .replace("{real}", table_or_placeholder(&tables.real))
            .replace("{table}", table_or_placeholder(&tables.main));
        write(&path, &text)?;
        if let Some(picture) = svg_chart::render(&results) {
            write(&path.with_file_name(CHART_PATH), &picture)?;
        }
    }
    Ok(())
}

/// Writes a file and creates its directory if necessary.
fn write(path: &Path, text: &str) -> Result<()> {
    let written = match path.parent() {
        Some(directory) => fs::create_dir_all(directory).and_then(|()| fs::write(path, text)),
        None => fs::write(path, text),
    };
    written.with_context(|| path.display().to_string())
}

/// The results as Markdown tables.
#[derive(Debug)]
struct Tables {
    main: String,
    growth: String,
    peers: String,
    real: String,
}

impl Tables {
    fn render(results: &RunResults) -> Self {
        Self {
            main: ratio_table::render(results, table_rows::GROUPS, &ratio_table::MAIN_COLUMNS),
            growth: growth_table::render(results),
            peers: ratio_table::render(results, table_rows::GROUPS, &ratio_table::PEERS_COLUMNS),
            real: ratio_table::render(
                results,
                table_rows::REAL_ENGINE_GROUPS,
                &ratio_table::REAL_COLUMNS,
            ),
        }
    }

    fn join_all(&self) -> String {
        let tables = [&self.main, &self.growth, &self.peers, &self.real];
        let tables = tables.map(String::as_str);
        let measured: Vec<&str> = tables
            .into_iter()
            .filter(|table| !table.is_empty())
            .collect();
        measured.join("\n\n")
    }
}

/// Returns the table, or a note that it was not measured.
fn table_or_placeholder(table: &str) -> &str {
    if table.is_empty() {
        "Not measured in this run."
    } else {
        table
    }
}
