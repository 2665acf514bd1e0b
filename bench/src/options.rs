//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::cases::Case;
use crate::subjects::Peer;

/// Measures what paddock costs, beside other proxies in one run.
#[derive(Debug, Parser)]
#[command(name = "paddock-bench")]
pub(crate) struct Options {
    /// How often each subject is measured in each case; medians are shown.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// How long one measurement takes.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seconds: u64,
    /// What is measured; all of it if not given.
    #[arg(long, value_delimiter = ',', value_enum)]
    cases: Vec<Case>,
    /// Where the page goes, and the picture `images/performance.svg` beside it; a run of all cases without it writes docs/performance.md.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Measure another runtime too: `llama-swap` or `gradatum`, and where its executable is.
    #[arg(long, value_name = "NAME=PATH")]
    pub(crate) peer: Vec<Peer>,
    /// Count the instructions of a request and of a stream instead, and compare them with those that
    /// are kept.
    #[arg(long, value_name = "WHAT", value_enum)]
    pub(crate) instructions: Option<Instructions>,
    /// Measure this executable instead of a release build of the workspace.
    #[arg(long, value_name = "FILE")]
    pub(crate) paddock: Option<PathBuf>,
}

/// What to do with a count of instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Instructions {
    /// Fail if it is more than 5 % above what is kept.
    Check,
    /// Keep it.
    Keep,
}

impl Options {
    /// The cases in the order in which they are measured.
    pub(crate) fn cases(&self) -> Vec<Case> {
        let chosen = |case: &Case| self.cases.is_empty() || self.cases.contains(case);
        Case::ALL.into_iter().filter(chosen).collect()
    }

    /// Where the page goes, if it is to be written.
    pub(crate) fn page(&self) -> Option<PathBuf> {
        let whole = self.cases().len() == Case::ALL.len();
        let page = || crate::subjects::workspace().join("docs/performance.md");
        self.out.clone().or_else(|| whole.then(page))
    }

    pub(crate) fn window(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}
