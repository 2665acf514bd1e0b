//! The measured cases.

mod client_loads;
mod configured_models;
mod conversations;
mod idle_usage;
mod llama_router;
mod model_starts;
mod open_streams;
mod readiness;
mod real_model_starts;

use anyhow::{Context as _, Result};
use clap::ValueEnum;

use crate::bench_options::BenchOptions;
use crate::load::LoadSample;
use crate::output;
use crate::results::{Quantity, RunResults};
use crate::stats::float;
use crate::subjects::{SubjectName, Subjects};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Case {
    /// Small requests, one after another.
    One,
    /// Small requests over 32 connections.
    Many,
    /// Requests of 64 KiB over 8 connections.
    Upload,
    /// Requests of 1 MiB with the model first, over 4 connections.
    NamedFirst,
    /// Requests of 1 MiB with the model last, over 4 connections.
    NamedLast,
    /// Requests of 8 MiB over 2 connections.
    BigUpload,
    /// Responses of 256 events at full speed, over 8 connections.
    Burst,
    /// 64 streams with an event every 10 ms.
    Paced,
    /// 1,000 streams with an event every 100 ms.
    Thousand,
    /// No load.
    Idle,
    /// A child that becomes ready while a request waits.
    Readiness,
    /// Models loaded on request.
    Starts,
    /// A real llama-server behind paddock and behind its own router.
    Router,
    /// A real llama-server started on request.
    RealStarts,
    /// Long conversations with two models that replace each other in memory.
    Conversations,
    /// 1 to 1,000 configured models.
    Models,
    /// 10 to 10,000 open streams.
    Open,
}

impl Case {
    /// All cases in the order of measurement.
    pub(crate) const ALL: [Self; 17] = [
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
        Self::Conversations,
        Self::Models,
        Self::Open,
    ];
}

/// Measures one case.
pub(crate) async fn run(
    case: Case,
    subjects: &Subjects,
    options: &BenchOptions,
    results: &mut RunResults,
) -> Result<()> {
    output::progress(&format!("measuring {case:?}"));
    let measured = match case {
        Case::Idle => idle_usage::run(subjects, results).await,
        Case::Readiness => readiness::run(subjects, results).await,
        Case::Starts => model_starts::run(subjects, results).await,
        Case::Router => llama_router::run(subjects, options, results).await,
        Case::RealStarts => real_model_starts::run(subjects, results).await,
        Case::Conversations => conversations::run(subjects, results).await,
        Case::Models => configured_models::run(subjects, options, results).await,
        Case::Open => open_streams::run(subjects, options, results).await,
        _ => client_loads::run(case, subjects, options, results).await,
    };
    measured.with_context(|| format!("{case:?}"))
}

/// Records a measurement of a subject whose responses contain `events` events each.
fn record(
    case: Case,
    name: SubjectName,
    sample: &LoadSample,
    events: usize,
    results: &mut RunResults,
) {
    let mut add = |quantity, figure| results.add(case, quantity, name, figure);
    add(Quantity::P50, sample.p50);
    add(Quantity::P99, sample.p99);
    add(Quantity::PerSecond, float(sample.count) / sample.seconds);
    if let Some(cpu) = sample.cpu {
        add(Quantity::Cpu, cpu / float(events));
    }
}
