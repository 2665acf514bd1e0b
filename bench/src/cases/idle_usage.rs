//! Measures memory and wake-ups of idle subjects.

use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::time::sleep;

use super::Case;
use crate::process_usage::IdleUsage;
use crate::results::{Quantity, RunResults};
use crate::stats::float;
use crate::subjects::{Subject, Subjects, paddock};

/// Idle time before measuring: a tokio thread for blocking work exits after 10 s without work, and
/// its memory is released 2 s later.
const SETTLE_TIME: Duration = Duration::from_secs(16);

const WATCH_TIME: Duration = Duration::from_secs(10);

/// Measures a fresh paddock, and the subjects that earlier cases have loaded.
pub(super) async fn run(subjects: &Subjects, results: &mut RunResults) -> Result<()> {
    let fresh = paddock::start(&subjects.run_dir, &subjects.paddock, &[])?;
    let fresh = fresh.wait_until_serving().await?;
    let proxies: Vec<&Subject> = subjects
        .all
        .iter()
        .filter(|subject| subject.proxy.is_some())
        .chain([&fresh])
        .collect();
    sleep(SETTLE_TIME).await;
    let before = read_usage(&proxies)?;
    sleep(WATCH_TIME).await;
    let after = read_usage(&proxies)?;
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

fn read_usage(proxies: &[&Subject]) -> Result<Vec<IdleUsage>> {
    let usages = proxies.iter().map(|subject| {
        let proxy = subject.proxy.as_ref().context("no proxy")?;
        proxy.idle_usage()
    });
    usages.collect()
}
