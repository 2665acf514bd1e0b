//! What is done to the subjects, and what is kept of it.

mod idle;
mod loads;
mod models;
mod open;
mod readiness;
mod real_starts;
mod router;
mod starts;

use anyhow::{Context as _, Result};
use clap::ValueEnum;

use crate::load::Sample;
use crate::options::Options;
use crate::results::{Quantity, Results};
use crate::say;
use crate::stats::float;
use crate::subjects::{Name, Subjects};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Case {
    /// Small requests, one after the other.
    One,
    /// Small requests over 32 connections.
    Many,
    /// Requests of 64 KiB over 8 connections.
    Upload,
    /// Requests of 1 MiB whose model stands at the head, over 4 connections.
    NamedFirst,
    /// Requests of 1 MiB whose model stands at the end.
    NamedLast,
    /// Requests of 8 MiB over 2 connections.
    BigUpload,
    /// Answers of 256 events, as fast as they go, over 8 connections.
    Burst,
    /// 64 streams with an event each 10 ms.
    Paced,
    /// 1,000 streams with an event each 100 ms.
    Thousand,
    /// Nothing at all.
    Idle,
    /// A child that becomes ready while a request waits.
    Readiness,
    /// Models that are loaded when they are asked for.
    Starts,
    /// A real llama-server behind paddock and behind its own router.
    Router,
    /// A real llama-server that is started when it is asked for.
    RealStarts,
    /// 1 to 1,000 models configured.
    Models,
    /// 10 to 10,000 streams open.
    Open,
}

impl Case {
    /// In the order in which they are measured.
    pub(crate) const ALL: [Self; 16] = [
        Self::One,
        Self::Many,
        Self::Upload,
        Self::NamedFirst,
        Self::NamedLast,
        Self::BigUpload,
        Self::Burst,
        Self::Paced,
        Self::Thousand,
        Self::Idle,
        Self::Readiness,
        Self::Starts,
        Self::Router,
        Self::RealStarts,
        Self::Models,
        Self::Open,
    ];
}

/// Measures one case.
pub(crate) async fn run(
    case: Case,
    subjects: &Subjects,
    options: &Options,
    results: &mut Results,
) -> Result<()> {
    say::progress(&format!("measuring {case:?}"));
    let measured = match case {
        Case::Idle => idle::run(subjects, results).await,
        Case::Readiness => readiness::run(subjects, results).await,
        Case::Starts => starts::run(subjects, results).await,
        Case::Router => router::run(subjects, options, results).await,
        Case::RealStarts => real_starts::run(subjects, results).await,
        Case::Models => models::run(subjects, options, results).await,
        Case::Open => open::run(subjects, options, results).await,
        _ => loads::run(case, subjects, options, results).await,
    };
    measured.with_context(|| format!("{case:?}"))
}

/// Keeps what was measured of a subject, whose answers hold so many events each.
fn note(case: Case, name: Name, sample: &Sample, events: usize, results: &mut Results) {
    let mut add = |quantity, figure| results.add(case, quantity, name, figure);
    add(Quantity::P50, sample.p50);
    add(Quantity::P99, sample.p99);
    add(Quantity::PerSecond, float(sample.count) / sample.seconds);
    if let Some(cpu) = sample.cpu {
        add(Quantity::Cpu, cpu / float(events));
    }
}
