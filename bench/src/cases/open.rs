//! How the cost of an event, and the memory, grow with the number of streams that are open. The events
//! are as many each second whatever the number of streams.

use anyhow::{Context as _, Result};

use super::Case;
use crate::descriptors;
use crate::load::{Load, Work, measure};
use crate::options::Options;
use crate::results::{Quantity, Results};
use crate::stats::float;
use crate::subjects::{Subjects, paddock};

const SIZES: [usize; 3] = [10, 1000, 10_000];

/// Between two events of all streams together, in microseconds.
const BETWEEN: usize = 100;

/// Descriptors that are no stream's.
const OTHERS: u64 = 300;

/// Measures a fresh paddock for each number.
pub(super) async fn run(
    subjects: &Subjects,
    options: &Options,
    results: &mut Results,
) -> Result<()> {
    let most = most(descriptors::raise());
    let mut sizes = SIZES.map(|size| size.min(most));
    for _ in 0..options.rounds {
        for size in sizes {
            measure_one(subjects, options, size, results).await?;
        }
        sizes.rotate_left(1);
    }
    Ok(())
}

/// Returns the number of streams that these descriptors allow: paddock has two for each, and keeps a sixteenth.
fn most(descriptors: u64) -> usize {
    let streams = descriptors.saturating_sub(OTHERS) / 32 * 15;
    usize::try_from(streams).unwrap_or(usize::MAX)
}

async fn measure_one(
    subjects: &Subjects,
    options: &Options,
    size: usize,
    results: &mut Results,
) -> Result<()> {
    let paddock = paddock::start(&subjects.place, &subjects.paddock, &[])?;
    let paddock = paddock.answers().await?;
    let proxy = paddock.proxy.as_ref().context("no process")?;
    let before = proxy.resident()?;
    let load = Load {
        connections: size,
        work: Work::Listen {
            every_us: size * BETWEEN,
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
        assert_eq!(most(20_000), 9225);
        assert_eq!(most(100), 0);
        assert!(most(1 << 20) > SIZES[2]);
    }
}
