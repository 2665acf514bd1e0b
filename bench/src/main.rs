//! What paddock costs, measured beside other proxies in one run.
//!
//! Every subject (the child itself, paddock, nginx) stands in front of the same stand-in child,
//! gets the same load, in rounds that alternate; what counts is the ratio of two figures of one
//! run. The program is its own stand-in child: see `child`.
//!
//! | module | what it holds |
//! |---|---|
//! | `child` | a llama-server whose answers cost nothing |
//! | `subjects` | starting what is measured |
//! | `load` | clients, and the time they saw |
//! | `usage` | what the system says a process used |
//! | `cases` | what is done to a subject, and what is kept of it |
//! | `rows`, `goals` | what is shown, and what it should be |
//! | `results`, `table`, `growth`, `chart`, `report` | medians, ratios, the page |
//! | `instructions` | what a request costs, counted |

mod cases;
mod chart;
mod child;
mod clock;
mod descriptors;
mod goals;
mod growth;
mod instructions;
mod load;
mod machine;
mod options;
mod process;
mod report;
mod results;
mod rows;
mod say;
mod stats;
mod subjects;
mod table;
mod usage;

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Parser as _;
use options::Options;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;

fn main() -> ExitCode {
    let outcome = if child::is_meant() {
        child::run(std::env::args().skip(1))
    } else {
        bench(&Options::parse())
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::progress(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Measures on one thread; whatever ends it, all that was started is stopped on the way out.
fn bench(options: &Options) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot have a runtime")?;
    LocalSet::new().block_on(&runtime, async {
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            done = report::make(options) => done,
            _ = tokio::signal::ctrl_c() => bail!("interrupted"),
            _ = terminate.recv() => bail!("told to stop"),
        }
    })
}
