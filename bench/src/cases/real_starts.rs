//! A cold start and a swap with a real llama-server, from a request to the first token of its answer. The
//! server alone is measured from its own start: what is more than that is added.

use std::time::Duration;

use anyhow::Result;

use super::Case;
use super::starts::{COLD, SWAP, until_unloaded};
use crate::clock;
use crate::load::bodies::CHATS;
use crate::load::{get, post};
use crate::results::{Quantity, Results};
use crate::say;
use crate::stats::micros;
use crate::subjects::{Engine, Subject, Subjects};

/// A load takes a few hundredths longer now, shorter then: so many, in turns.
const STARTS: usize = 15;

/// Between two tries to be served by a server that loads.
const PAUSE: Duration = Duration::from_millis(1);

pub(super) async fn run(subjects: &Subjects, results: &mut Results) -> Result<()> {
    let Some(engine) = Engine::find() else {
        say::progress("  no PADDOCK_TEST_ENGINE and PADDOCK_TEST_MODEL: left out");
        return Ok(());
    };
    let mut peers = Vec::new();
    for peer in &subjects.peers {
        peers.extend(peer.start_two(&subjects.place, &engine.command())?);
    }
    colds(subjects, &engine, &mut peers, results).await?;
    let (place, program) = (&subjects.place, &subjects.paddock);
    let mut all = vec![
        engine.paddock_two(place, program, SWAP)?,
        engine.router_two(place)?,
    ];
    all.append(&mut peers);
    swaps(all, results).await
}

/// Asks for a model that is not loaded, the server alone and each of the others in turn.
async fn colds(
    subjects: &Subjects,
    engine: &Engine,
    peers: &mut [Subject],
    results: &mut Results,
) -> Result<()> {
    let mut paddock = engine.paddock_two(&subjects.place, &subjects.paddock, COLD)?;
    // The first one waits for paddock to ask the engine what it can.
    first_answer(&mut paddock, "a").await?;
    for _ in 0..STARTS {
        let began = clock::now();
        let mut alone = engine.direct(&subjects.place)?;
        first_answer(&mut alone, "a").await?;
        note(began, &alone, Quantity::ColdMillis, results);
        alone.end()?;
        until_unloaded(&mut paddock).await?;
        timed(&mut paddock, "a", Quantity::ColdMillis, results).await?;
        until_unloaded(&mut paddock).await?;
        for peer in &mut *peers {
            peer.connect().await?.ask(&get("/unload")).await?;
            timed(peer, "a", Quantity::ColdMillis, results).await?;
            peer.connect().await?.ask(&get("/unload")).await?;
        }
    }
    paddock.end()
}

/// Asks each for its two models in turn.
async fn swaps(mut all: Vec<Subject>, results: &mut Results) -> Result<()> {
    for subject in &mut all {
        for name in ["a", "b"] {
            first_answer(subject, name).await?;
        }
    }
    for name in ["a", "b"].iter().cycle().take(STARTS) {
        for subject in &mut all {
            timed(subject, name, Quantity::SwapMillis, results).await?;
        }
    }
    all.into_iter().try_for_each(Subject::end)
}

async fn timed(
    subject: &mut Subject,
    model: &str,
    quantity: Quantity,
    results: &mut Results,
) -> Result<()> {
    let began = clock::now();
    first_answer(subject, model).await?;
    note(began, subject, quantity, results);
    Ok(())
}

/// Asks for one token until it comes; a server that loads refuses.
async fn first_answer(subject: &mut Subject, model: &str) -> Result<()> {
    let body = format!(
        r#"{{"model":"{model}","messages":[{{"role":"user","content":"Hello"}}],"max_tokens":1}}"#
    );
    subject.serves(&post(CHATS, body.as_bytes()), PAUSE).await
}

fn note(began: u64, subject: &Subject, quantity: Quantity, results: &mut Results) {
    let millis = micros(clock::now() - began) / 1e3;
    results.add(Case::RealStarts, quantity, subject.name, millis);
}
