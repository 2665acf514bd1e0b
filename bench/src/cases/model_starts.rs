//! Measures the time added to a cold start and to a swap: from the request to its response, minus
//! the child's time from start to readiness, which the child records.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tokio::time::sleep;

use super::Case;
use crate::clock;
use crate::load::request_bodies::{self, CHAT_PATH};
use crate::load::{get, post};
use crate::results::{Quantity, RunResults};
use crate::stats::micros;
use crate::subjects::{Subject, Subjects, paddock};

const START_COUNT: u64 = 20;

/// Interval between checks for the end of a child.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Limit on the time until a model is unloaded.
const UNLOAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Configuration that unloads a model as soon as it is idle.
pub(super) const UNLOAD_WHEN_IDLE: &str = "keep_alive = \"0s\"\n";

/// Configuration that keeps one model in memory at a time.
pub(super) const ONE_MODEL_AT_A_TIME: &str =
    "[scheduler]\nmax_loaded = 1\nmin_residency = \"0s\"\n";

/// The way in which the previous model is unloaded before each start.
#[derive(Debug, Clone, Copy)]
enum UnloadBy {
    /// The request for the next model evicts the other one.
    Eviction,
    /// The model is unloaded because it is idle.
    KeepAlive,
    /// This request unloads the model.
    Request(&'static str),
}

pub(super) async fn run(subjects: &Subjects, results: &mut RunResults) -> Result<()> {
    let load = ["--load-ms".to_owned(), "50".to_owned()];
    let start = |more| paddock::start_two(&subjects.run_dir, &subjects.paddock, &load, more);
    measure(start(UNLOAD_WHEN_IDLE)?, UnloadBy::KeepAlive, results).await?;
    measure(start(ONE_MODEL_AT_A_TIME)?, UnloadBy::Eviction, results).await?;
    let child = format!("{} {}", subjects.run_dir.child().display(), load.join(" "));
    for peer in &subjects.peers {
        for unload_by in [UnloadBy::Request("/unload"), UnloadBy::Eviction] {
            if let Some(subject) = peer.start_two(&subjects.run_dir, &child)? {
                measure(subject, unload_by, results).await?;
            }
        }
    }
    Ok(())
}

/// Sends requests to two models in turn.
async fn measure(
    mut subject: Subject,
    unload_by: UnloadBy,
    results: &mut RunResults,
) -> Result<()> {
    let quantity = match unload_by {
        UnloadBy::Eviction => Quantity::SwapMillis,
        UnloadBy::KeepAlive | UnloadBy::Request(_) => Quantity::ColdMillis,
    };
    // The first request also waits for paddock's questions to the engine.
    measure_added(&mut subject, 0).await?;
    for start in 1..=START_COUNT {
        match unload_by {
            UnloadBy::Eviction => {}
            UnloadBy::KeepAlive => wait_until_unloaded(&mut subject).await?,
            UnloadBy::Request(path) => {
                let mut client = subject.connect().await?;
                client.ask(&get(path)).await?;
            }
        }
        let millis = measure_added(&mut subject, start).await?;
        results.add(Case::Starts, quantity, subject.name, millis);
    }
    Ok(())
}

/// Waits until all of paddock's models are unloaded.
pub(super) async fn wait_until_unloaded(subject: &mut Subject) -> Result<()> {
    let mut client = subject.connect().await?;
    let until = clock::now() + clock::nanoseconds(UNLOAD_TIMEOUT);
    loop {
        let answer: Value = serde_json::from_slice(client.ask(&get("/v1/models")).await?)?;
        let models = answer["data"].as_array().context("no models")?;
        if models.iter().all(|model| model["status"] == "unloaded") {
            return Ok(());
        }
        ensure!(clock::now() < until, "still loaded: {answer}");
        sleep(POLL_INTERVAL).await;
    }
}

/// Sends a request to one of two models in turn. Returns the added time in milliseconds.
async fn measure_added(subject: &mut Subject, turn: u64) -> Result<f64> {
    let mut client = subject.connect().await?;
    let name = if turn.is_multiple_of(2) { "a" } else { "b" };
    let asked = clock::now();
    let request = post(CHAT_PATH, &request_bodies::chat_for_route(name, "/stamp"));
    let answer = client.ask(&request).await?;
    let took = clock::now() - asked;
    let answer: Value = serde_json::from_slice(answer)?;
    let moment = |name: &str| answer[name].as_u64().with_context(|| name.to_owned());
    let own = moment("ready")? - moment("began")?;
    Ok(micros(took.saturating_sub(own)) / 1e3)
}
