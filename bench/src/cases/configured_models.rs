//! Measures the cost of a request as the number of configured models grows.

use anyhow::{Context as _, Result};

use super::Case;
use crate::bench_options::BenchOptions;
use crate::load::request_bodies::{self, CHAT_PATH};
use crate::load::{ClientWork, Load, measure, post};
use crate::results::{Quantity, RunResults};
use crate::stats::float;
use crate::subjects::{Subject, Subjects, paddock};

const SIZES: [usize; 4] = [1, 10, 100, 1000];

/// Loads one model of each paddock in turn, in rotating order.
pub(super) async fn run(
    subjects: &Subjects,
    options: &BenchOptions,
    results: &mut RunResults,
) -> Result<()> {
    let mut paddocks: Vec<(usize, Subject)> = Vec::new();
    for size in SIZES {
        let paddock = paddock::start_models(&subjects.run_dir, &subjects.paddock, size)?;
        paddocks.push((size, paddock.wait_until_serving().await?));
    }
    let load = Load {
        connections: 32,
        work: ClientWork::Ask(post(CHAT_PATH, request_bodies::SMALL_CHAT).into()),
    };
    for _ in 0..options.rounds {
        for (size, paddock) in &paddocks {
            let proxy = paddock.proxy.as_ref();
            let sample = measure(&load, paddock.address, proxy, options.window()).await?;
            let mut add = |quantity, figure| results.add_at(Case::Models, quantity, *size, figure);
            add(Quantity::PerSecond, float(sample.count) / sample.seconds);
            add(Quantity::Cpu, sample.cpu.context("no CPU time")?);
            let resident = sample.resident.context("no memory")?;
            add(Quantity::LoadedMegabytes, float(resident) / 1e6);
        }
        paddocks.rotate_left(1);
    }
    Ok(())
}
