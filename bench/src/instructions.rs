//! How many instructions a request and a stream cost paddock: a figure that a busy machine does not change.
//!
//! paddock runs in valgrind's callgrind twice, with a few requests and with many; the difference is what
//! those between cost, in all of its threads and without the kernel.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::load::bodies::{CHAT, CHATS};
use crate::load::post;
use crate::say;
use crate::stats::float;
use crate::subjects::{self, Place, debian, paddock};

/// How many come before those that count, and how many count.
const BEFORE: usize = 200;

/// How much more than the figure that is kept is too much.
const TOO_MUCH: f64 = 1.05;

/// What is counted: its name in the file, its request, and how many of them count.
const COUNTED: [(&str, &str, usize); 2] = [
    ("request", CHATS, 10_000),
    ("stream of 256 events", "/burst", 800),
];

/// Where the figures are kept.
fn kept() -> PathBuf {
    subjects::workspace().join("bench/instructions.json")
}

/// Counts, and compares with what is kept, or keeps it.
pub(crate) async fn check(program: &Path, place: &Place, keep: bool) -> Result<()> {
    let valgrind = debian::program("valgrind", "valgrind")?;
    let mut found = serde_json::Map::new();
    for (name, target, count) in COUNTED {
        say::progress(&format!("counting the instructions of a {name}"));
        let request = post(target, CHAT);
        let few = count_run(&valgrind, program, place, &request, BEFORE).await?;
        let many = count_run(&valgrind, program, place, &request, BEFORE + count).await?;
        let each = many.saturating_sub(few) / u64::try_from(count)?;
        found.insert(name.to_owned(), each.into());
    }
    let path = kept();
    if keep {
        let text = serde_json::to_string_pretty(&found)? + "\n";
        say::result(&text);
        return fs::write(&path, text).with_context(|| path.display().to_string());
    }
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let before: serde_json::Map<_, _> = serde_json::from_str(&text)?;
    let mut worse = Vec::new();
    for (name, now) in &found {
        let figure = |value: Option<&serde_json::Value>| value.and_then(serde_json::Value::as_u64);
        let now = figure(Some(now)).context("a figure")?;
        let was = figure(before.get(name)).with_context(|| format!("nothing is kept of {name}"))?;
        let ratio = float(usize::try_from(now)?) / float(usize::try_from(was)?);
        let line = format!("{name}: {now} instructions, {was} are kept: {ratio:.3}");
        say::result(&line);
        if ratio > TOO_MUCH {
            worse.push(line);
        }
    }
    ensure!(
        worse.is_empty(),
        "paddock costs more than 5 % more than it did; find out why, or keep the new figures with \
         --instructions keep:\n{}",
        worse.join("\n")
    );
    Ok(())
}

/// The instructions of a whole life of paddock, with so many requests.
async fn count_run(
    valgrind: &Path,
    program: &Path,
    place: &Place,
    request: &[u8],
    requests: usize,
) -> Result<u64> {
    let out = place.fresh("callgrind");
    let mut command = Command::new(valgrind);
    command
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(program);
    let mut subject = paddock::start_by(place, command)?.answers().await?;
    let mut client = subject.connect().await?;
    for _ in 0..requests {
        client.ask(request).await?;
    }
    drop(client);
    // It writes at its end.
    subject.end()?;
    let text = fs::read_to_string(&out).with_context(|| out.display().to_string())?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    match total.map(str::trim).map(str::parse) {
        Some(Ok(total)) => Ok(total),
        _ => bail!("callgrind did not say how many"),
    }
}
