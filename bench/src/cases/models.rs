//! How the cost of a request grows with the number of models that are configured.

use anyhow::{Context as _, Result};

use super::Case;
use crate::load::bodies::{self, CHATS};
use crate::load::{Load, Work, measure, post};
use crate::options::Options;
use crate::results::{Quantity, Results};
use crate::stats::float;
use crate::subjects::{Subject, Subjects, paddock};

const SIZES: [usize; 4] = [1, 10, 100, 1000];

/// Loads one of the models of each paddock in turn; the order changes from round to round.
pub(super) async fn run(
    subjects: &Subjects,
    options: &Options,
    results: &mut Results,
) -> Result<()> {
    let mut paddocks: Vec<(usize, Subject)> = Vec::new();
    for size in SIZES {
        let paddock = paddock::start_models(&subjects.place, &subjects.paddock, size)?;
        paddocks.push((size, paddock.answers().await?));
    }
    let load = Load {
        connections: 32,
        work: Work::Ask(post(CHATS, bodies::CHAT).into()),
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
