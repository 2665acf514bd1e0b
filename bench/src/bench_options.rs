//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::cases::Case;
use crate::subjects::Peer;

/// Measures the cost of paddock next to other proxies, in one run.
#[derive(Debug, Parser)]
#[command(name = "paddock-bench")]
pub(crate) struct BenchOptions {
    /// Number of rounds: measurements of each subject in each case. The tables show medians.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// Duration of one measurement, in seconds.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seconds: u64,
    /// Cases to measure; default: all.
    #[arg(long, value_delimiter = ',', value_enum)]
    cases: Vec<Case>,
    /// Output page; the picture `images/performance.svg` goes next to it. A run of all cases writes
    /// docs/performance.md by default.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Also measures another runtime: `llama-swap` or `gradatum`, and the path of its executable.
    #[arg(long, value_name = "NAME=PATH")]
    pub(crate) peer: Vec<Peer>,
    /// Counts the instructions of a request and of a stream instead, and compares them with the
    /// saved figures.
    #[arg(long, value_name = "WHAT", value_enum)]
    pub(crate) instructions: Option<InstructionMode>,
    /// Measures this executable instead of a release build of the workspace.
    #[arg(long, value_name = "FILE")]
    pub(crate) paddock: Option<PathBuf>,
}

/// The use of the counted instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum InstructionMode {
    /// Fails if a figure exceeds the saved one by more than 5 %.
    Check,
    /// Saves the figures.
    Keep,
}

impl BenchOptions {
    /// Returns the cases in the order of measurement.
    pub(crate) fn cases(&self) -> Vec<Case> {
        let chosen = |case: &Case| self.cases.is_empty() || self.cases.contains(case);
        Case::ALL.into_iter().filter(chosen).collect()
    }

    /// Returns the path of the page, if the run writes one.
    pub(crate) fn page(&self) -> Option<PathBuf> {
        let whole = self.cases().len() == Case::ALL.len();
        let page = || crate::subjects::workspace().join("docs/performance.md");
        self.out.clone().or_else(|| whole.then(page))
    }

    pub(crate) fn window(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}
