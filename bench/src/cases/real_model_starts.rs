//! Measures a cold start and a swap with a real llama-server, from the request to the first token.
//! The server alone is measured from its process start; the difference is the added time.

use std::time::Duration;

use anyhow::Result;

use super::Case;
use super::model_starts::{ONE_MODEL_AT_A_TIME, UNLOAD_WHEN_IDLE, wait_until_unloaded};
use crate::clock;
use crate::load::request_bodies::CHAT_PATH;
use crate::load::{get, post};
use crate::output;
use crate::results::{Quantity, RunResults};
use crate::stats::micros;
use crate::subjects::{RealEngine, Subject, Subjects};

/// Number of alternating starts, because load times vary by a few percent.
const START_COUNT: usize = 15;

/// Interval between attempts while a server is loading.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(1);

pub(super) async fn run(subjects: &Subjects, results: &mut RunResults) -> Result<()> {
    let Some(engine) = RealEngine::find() else {
        output::progress("  skipped: set PADDOCK_TEST_ENGINE and PADDOCK_TEST_MODEL");
        return Ok(());
    };
    let mut peers = Vec::new();
    for peer in &subjects.peers {
        peers.extend(peer.start_two(&subjects.run_dir, &engine.command())?);
    }
    measure_cold_starts(subjects, &engine, &mut peers, results).await?;
    let (run_dir, program) = (&subjects.run_dir, &subjects.paddock);
    let mut all = vec![
        engine.paddock_two(run_dir, program, ONE_MODEL_AT_A_TIME)?,
        engine.router_two(run_dir)?,
    ];
    all.append(&mut peers);
    measure_swaps(all, results).await
}

/// Requests a model that is not loaded, from the server alone and from each proxy in turn.
async fn measure_cold_starts(
    subjects: &Subjects,
    engine: &RealEngine,
    peers: &mut [Subject],
    results: &mut RunResults,
) -> Result<()> {
    let mut paddock = engine.paddock_two(&subjects.run_dir, &subjects.paddock, UNLOAD_WHEN_IDLE)?;
    // The first request also waits for paddock's questions to the engine.
    first_answer(&mut paddock, "a").await?;
    for _ in 0..START_COUNT {
        let started = clock::now();
        let mut alone = engine.direct(&subjects.run_dir)?;
        first_answer(&mut alone, "a").await?;
        record(started, &alone, Quantity::ColdMillis, results);
        alone.end()?;
        wait_until_unloaded(&mut paddock).await?;
        time_first_answer(&mut paddock, "a", Quantity::ColdMillis, results).await?;
        wait_until_unloaded(&mut paddock).await?;
        for peer in &mut *peers {
            peer.connect().await?.ask(&get("/unload")).await?;
            time_first_answer(peer, "a", Quantity::ColdMillis, results).await?;
            peer.connect().await?.ask(&get("/unload")).await?;
        }
    }
    paddock.end()
}

/// Requests both models of each subject in turn.
async fn measure_swaps(mut all: Vec<Subject>, results: &mut RunResults) -> Result<()> {
    for subject in &mut all {
        for name in ["a", "b"] {
            first_answer(subject, name).await?;
        }
    }
    for name in ["a", "b"].iter().cycle().take(START_COUNT) {
        for subject in &mut all {
            time_first_answer(subject, name, Quantity::SwapMillis, results).await?;
        }
    }
    all.into_iter().try_for_each(Subject::end)
}

async fn time_first_answer(
    subject: &mut Subject,
    model: &str,
    quantity: Quantity,
    results: &mut RunResults,
) -> Result<()> {
    let started = clock::now();
    first_answer(subject, model).await?;
    record(started, subject, quantity, results);
    Ok(())
}

/// Requests one token until it arrives; a loading server refuses.
pub(super) async fn first_answer(subject: &mut Subject, model: &str) -> Result<()> {
    let body = format!(
        r#"{{"model":"{model}","messages":[{{"role":"user","content":"Hello"}}],"max_tokens":1}}"#
    );
    subject
        .retry_until_served(&post(CHAT_PATH, body.as_bytes()), POLL_INTERVAL)
        .await?;
    Ok(())
}

fn record(started: u64, subject: &Subject, quantity: Quantity, results: &mut RunResults) {
    let millis = micros(clock::now() - started) / 1e3;
    results.add(Case::RealStarts, quantity, subject.name, millis);
}
