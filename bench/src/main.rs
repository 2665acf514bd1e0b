//! Measures the cost of paddock next to other proxies, in one run.
//!
//! Every subject (the child itself, paddock, nginx) runs in front of the same stand-in child and
//! gets the same load, in alternating rounds; the result is the ratio of two figures of one run.
//! This program also serves as the stand-in child: see `child`.
//!
//! | module | content |
//! |---|---|
//! | `child` | a llama-server whose responses cost almost nothing |
//! | `subjects` | starting the measured subjects |
//! | `load` | clients, and the times they observe |
//! | `process_usage` | CPU time and memory of processes, from /proc |
//! | `cases` | the measured cases |
//! | `table_rows`, `goals` | the rows of the tables, and their goals |
//! | `results`, `ratio_table`, `growth_table`, `svg_chart`, `report` | medians, ratios, the page |
//! | `instructions` | counting the instructions of a request |

mod bench_options;
mod cases;
mod child;
mod clock;
mod descriptors;
mod goals;
mod growth_table;
mod instructions;
mod load;
mod machine;
mod output;
mod process;
mod process_usage;
mod ratio_table;
mod report;
mod results;
mod stats;
mod subjects;
mod svg_chart;
mod table_rows;

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use bench_options::BenchOptions;
use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;

fn main() -> ExitCode {
    let outcome = if child::is_child_process() {
        child::run(std::env::args().skip(1))
    } else {
        bench(&BenchOptions::parse())
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::progress(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Measures on one thread. Every started process is stopped on the way out, however the run ends.
fn bench(options: &BenchOptions) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot create the runtime")?;
    LocalSet::new().block_on(&runtime, async {
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            outcome = report::run(options) => outcome,
            _ = tokio::signal::ctrl_c() => bail!("interrupted"),
            _ = terminate.recv() => bail!("terminated"),
        }
    })
}
