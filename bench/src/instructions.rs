//! Counts the instructions that a request and a stream cost paddock: a figure independent of a busy
//! machine.
//!
//! paddock runs in valgrind's callgrind twice, with few and with many requests. The difference is
//! the cost of the additional requests, over all threads and without the kernel.

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
const COUNTED_CASES: [(&str, &str, usize); 2] = [
    ("request", CHAT_PATH, 10_000),
    ("stream of 256 events", "/burst", 800),
];

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
        let few = count_run(&valgrind, program, run_dir, &request, WARM_UP_REQUESTS).await?;
        let many = count_run(
            &valgrind,
            program,
            run_dir,
            &request,
            WARM_UP_REQUESTS + count,
        )
        .await?;
        let each = many.saturating_sub(few) / u64::try_from(count)?;
        found.insert(name.to_owned(), each.into());
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

/// Returns the instructions of a whole paddock run with `requests` requests.
async fn count_run(
    valgrind: &Path,
    program: &Path,
    run_dir: &RunDir,
    request: &[u8],
    requests: usize,
) -> Result<u64> {
    let out = run_dir.unique_path("callgrind");
    let mut command = Command::new(valgrind);
    command
        .arg("--tool=callgrind")
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
    let text = fs::read_to_string(&out).with_context(|| out.display().to_string())?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    match total.map(str::trim).map(str::parse) {
        Some(Ok(total)) => Ok(total),
        _ => bail!("callgrind printed no total"),
    }
}
