//! Counts the instructions that a request and a stream cost paddock: a figure independent of a busy
//! machine.
//!
//! paddock runs in valgrind's callgrind twice, with few and with many requests. The difference is
//! the cost of the additional requests on the thread that serves them, without the kernel. Other
//! threads are left out: a busy machine takes longer for a run, and the longer a run takes, the more
//! requests paddock lists in its database (at most 128 in 250 ms).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::load::post;
use crate::load::request_bodies::{CHAT_PATH, SMALL_CHAT};
use crate::output;
use crate::stats::float;
use crate::subjects::{self, RunDir, debian_packages, paddock};

/// Requests before the counted ones.
const WARM_UP_REQUESTS: usize = 200;

/// Limit on the ratio to the saved figure.
const MAX_RATIO: f64 = 1.05;

/// The counted cases: name in the file, target, number of counted requests.
///
/// The stream arrives in one write: if each event were a write of its own, a busy machine would join many of them in one
/// read, and the count would depend on the machine.
const COUNTED_CASES: [(&str, &str, usize); 2] = [
    ("request", CHAT_PATH, 4000),
    ("stream of 256 events", "/joined-burst", 300),
];

/// Measurements of each case. The smallest counts: on a busy machine, peers that are late make paddock read or write in
/// more pieces.
const ROUNDS: usize = 3;

/// Returns the path of the saved figures.
fn baseline_path() -> PathBuf {
    subjects::workspace().join("bench/instructions.json")
}

/// Counts the instructions and compares them with the saved figures, or saves them.
pub(crate) async fn check(program: &Path, run_dir: &RunDir, save: bool) -> Result<()> {
    let valgrind = debian_packages::find_program("valgrind", "valgrind")?;
    let mut found = serde_json::Map::new();
    for (name, target, count) in COUNTED_CASES {
        output::progress(&format!("counting the instructions of a {name}"));
        let request = post(target, SMALL_CHAT);
        let all = WARM_UP_REQUESTS + count;
        let mut least = u64::MAX;
        for _ in 0..ROUNDS {
            let few = count_run(&valgrind, program, run_dir, &request, WARM_UP_REQUESTS).await?;
            let many = count_run(&valgrind, program, run_dir, &request, all).await?;
            least = least.min(serving_thread_cost(&few, &many) / u64::try_from(count)?);
        }
        found.insert(name.to_owned(), least.into());
    }
    let path = baseline_path();
    if save {
        let text = serde_json::to_string_pretty(&found)? + "\n";
        output::result(&text);
        return fs::write(&path, text).with_context(|| path.display().to_string());
    }
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let before: serde_json::Map<_, _> = serde_json::from_str(&text)?;
    let mut regressions = Vec::new();
    for (name, now) in &found {
        let figure = |value: Option<&serde_json::Value>| value.and_then(serde_json::Value::as_u64);
        let now = figure(Some(now)).context("a figure")?;
        let was =
            figure(before.get(name)).with_context(|| format!("no figure of {name} is saved"))?;
        let ratio = float(usize::try_from(now)?) / float(usize::try_from(was)?);
        let line = format!("{name}: {now} instructions, {was} saved: {ratio:.3}");
        output::result(&line);
        if ratio > MAX_RATIO {
            regressions.push(line);
        }
    }
    ensure!(
        regressions.is_empty(),
        "paddock costs over 5 % more instructions than the saved figures; find out why, or save the new \
         figures with --instructions keep:\n{}",
        regressions.join("\n")
    );
    Ok(())
}

/// Returns the additional instructions of the thread that has served the additional requests: it has the
/// most of them.
fn serving_thread_cost(few: &[u64], many: &[u64]) -> u64 {
    let threads = few.iter().zip(many);
    let more = threads.map(|(few, many)| many.saturating_sub(*few));
    more.max().unwrap_or_default()
}

/// Returns the instructions of each thread, in the order of their starts, of a whole paddock run with
/// `requests` requests.
async fn count_run(
    valgrind: &Path,
    program: &Path,
    run_dir: &RunDir,
    request: &[u8],
    requests: usize,
) -> Result<Vec<u64>> {
    let out = run_dir.unique_path("callgrind");
    let mut command = Command::new(valgrind);
    command
        .arg("--tool=callgrind")
        .arg("--separate-threads=yes")
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(program);
    let mut subject = paddock::start_by(run_dir, command)?
        .wait_until_serving()
        .await?;
    let mut client = subject.connect().await?;
    for _ in 0..requests {
        client.ask(request).await?;
    }
    drop(client);
    // callgrind writes its output when the process exits.
    subject.end()?;
    let mut threads = Vec::new();
    for number in 1.. {
        let path = PathBuf::from(format!("{}-{number:02}", out.display()));
        if !path.exists() {
            break;
        }
        threads.push(read_total(&path)?);
    }
    ensure!(!threads.is_empty(), "callgrind wrote no counts");
    Ok(threads)
}

/// Returns the number of instructions in callgrind's output for one thread.
fn read_total(path: &Path) -> Result<u64> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    match total.map(str::trim).map(str::parse) {
        Some(Ok(total)) => Ok(total),
        _ => bail!("callgrind printed no total"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thread_with_most_additional_instructions_counts() {
        assert_eq!(serving_thread_cost(&[900, 5, 7], &[910, 5, 90]), 83);
        assert_eq!(serving_thread_cost(&[], &[]), 0);
    }
}
