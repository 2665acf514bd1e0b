//! What a subject holds and does while nobody asks it anything.

use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::time::sleep;

use super::Case;
use crate::results::{Quantity, Results};
use crate::stats::float;
use crate::subjects::{Subject, Subjects, paddock};
use crate::usage::Idleness;

/// How long a subject is left alone before it is watched: a thread of tokio's that has done blocking
/// work ends after 10 s without any, and what it held is given back 2 s later.
const SETTLE: Duration = Duration::from_secs(16);

const WATCHED: Duration = Duration::from_secs(10);

/// Watches a fresh paddock, and the subjects that the cases before have loaded.
pub(super) async fn run(subjects: &Subjects, results: &mut Results) -> Result<()> {
    let fresh = paddock::start(&subjects.place, &subjects.paddock, &[])?;
    let fresh = fresh.answers().await?;
    let proxies: Vec<&Subject> = subjects
        .all
        .iter()
        .filter(|subject| subject.proxy.is_some())
        .chain([&fresh])
        .collect();
    sleep(SETTLE).await;
    let before = look(&proxies)?;
    sleep(WATCHED).await;
    let after = look(&proxies)?;
    for (index, subject) in proxies.iter().enumerate() {
        let switches = float(after[index].switches - before[index].switches);
        let megabytes = float(after[index].resident) / 1e6;
        let (memory, wakes) = if std::ptr::eq(*subject, &raw const fresh) {
            (Quantity::FreshMegabytes, Quantity::FreshSwitches)
        } else {
            (Quantity::LoadedMegabytes, Quantity::LoadedSwitches)
        };
        results.add(Case::Idle, memory, subject.name, megabytes);
        results.add(Case::Idle, wakes, subject.name, switches);
    }
    Ok(())
}

fn look(proxies: &[&Subject]) -> Result<Vec<Idleness>> {
    let looks = proxies.iter().map(|subject| {
        let proxy = subject.proxy.as_ref().context("no proxy")?;
        proxy.idleness()
    });
    looks.collect()
}
