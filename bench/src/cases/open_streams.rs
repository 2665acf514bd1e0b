//! Measures the cost of an event, and memory, as the number of open streams grows. The number of
//! events per second stays the same.

use anyhow::{Context as _, Result};

use super::Case;
use crate::bench_options::BenchOptions;
use crate::descriptors;
use crate::load::{ClientWork, Load, measure};
use crate::results::{Quantity, RunResults};
use crate::stats::float;
use crate::subjects::{Subjects, paddock};

const SIZES: [usize; 3] = [10, 1000, 10_000];

/// Interval between events over all streams together, in microseconds.
const EVENT_INTERVAL_US: usize = 100;

/// Descriptors reserved for uses other than streams.
const RESERVED_DESCRIPTORS: u64 = 300;

/// Measures a fresh paddock for each number of streams.
pub(super) async fn run(
    subjects: &Subjects,
    options: &BenchOptions,
    results: &mut RunResults,
) -> Result<()> {
    let max_streams = max_streams(descriptors::raise_limit());
    let mut sizes = SIZES.map(|size| size.min(max_streams));
    for _ in 0..options.rounds {
        for size in sizes {
            measure_one(subjects, options, size, results).await?;
        }
        sizes.rotate_left(1);
    }
    Ok(())
}

/// Returns the number of streams that this number of descriptors allows: paddock needs two per
/// stream and reserves a sixteenth.
fn max_streams(descriptors: u64) -> usize {
    let streams = descriptors.saturating_sub(RESERVED_DESCRIPTORS) / 32 * 15;
    usize::try_from(streams).unwrap_or(usize::MAX)
}

async fn measure_one(
    subjects: &Subjects,
    options: &BenchOptions,
    size: usize,
    results: &mut RunResults,
) -> Result<()> {
    let paddock = paddock::start(&subjects.run_dir, &subjects.paddock, &[])?;
    let paddock = paddock.wait_until_serving().await?;
    let proxy = paddock.proxy.as_ref().context("no process")?;
    let before = proxy.resident()?;
    let load = Load {
        connections: size,
        work: ClientWork::Listen {
            every_us: size * EVENT_INTERVAL_US,
        },
    };
    let sample = measure(&load, paddock.address, Some(proxy), options.window()).await?;
    let resident = sample.resident.context("no memory")?;
    let each = float(resident.saturating_sub(before)) / float(size) / 1024.0;
    let mut add = |quantity, figure| results.add_at(Case::Open, quantity, size, figure);
    add(Quantity::Cpu, sample.cpu.context("no CPU time")?);
    add(Quantity::PerSecond, float(sample.count) / sample.seconds);
    add(Quantity::P50, sample.p50);
    add(Quantity::P99, sample.p99);
    add(Quantity::LoadedMegabytes, float(resident) / 1e6);
    add(Quantity::StreamKibibytes, each);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_limit_the_streams() {
        assert_eq!(max_streams(20_000), 9225);
        assert_eq!(max_streams(100), 0);
        assert!(max_streams(1 << 20) > SIZES[2]);
    }
}
