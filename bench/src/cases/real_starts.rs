//! A cold start and a swap with a real llama-server, from a request to the first token of its answer. The
//! server alone is measured from its own start: what is more than that is added.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use super::Case;
use super::starts::{COLD, SWAP};
use crate::clock;
use crate::load::bodies::CHATS;
use crate::load::{Loading, get, post};
use crate::results::{Quantity, Results};
use crate::say;
use crate::stats::micros;
use crate::subjects::{Engine, Subject, Subjects};

const STARTS: usize = 10;

/// Between two tries to be served by a server that loads.
const PAUSE: Duration = Duration::from_millis(1);

/// Long enough for a server that nobody uses to be gone.
const GONE: Duration = Duration::from_secs(2);

pub(super) async fn run(subjects: &Subjects, results: &mut Results) -> Result<()> {
    let Some(engine) = Engine::find() else {
        say::progress("  no PADDOCK_TEST_ENGINE and PADDOCK_TEST_MODEL: left out");
        return Ok(());
    };
    let (place, program) = (&subjects.place, &subjects.paddock);
    for _ in 0..STARTS {
        let began = clock::now();
        let mut alone = engine.direct(place)?;
        first_answer(&mut alone, "a").await?;
        note(began, &alone, Quantity::ColdMillis, results);
        alone.end()?;
    }
    let mut paddock = engine.paddock_two(place, program, COLD)?;
    // The first one waits for paddock to ask the engine what it can.
    first_answer(&mut paddock, "a").await?;
    for _ in 0..STARTS {
        sleep(GONE).await;
        cold(&mut paddock, results).await?;
    }
    paddock.end()?;
    swaps(engine.paddock_two(place, program, SWAP)?, results).await?;
    swaps(engine.router_two(place)?, results).await?;
    for peer in &subjects.peers {
        let Some(mut peer) = peer.start_two(place, &engine.command())? else {
            continue;
        };
        for _ in 0..STARTS {
            peer.connect().await?.ask(&get("/unload")).await?;
            cold(&mut peer, results).await?;
        }
        swaps(peer, results).await?;
    }
    Ok(())
}

/// Asks for a model that is not loaded.
async fn cold(subject: &mut Subject, results: &mut Results) -> Result<()> {
    let began = clock::now();
    first_answer(subject, "a").await?;
    note(began, subject, Quantity::ColdMillis, results);
    Ok(())
}

/// Asks two models in turn.
async fn swaps(mut subject: Subject, results: &mut Results) -> Result<()> {
    for name in ["a", "b"] {
        first_answer(&mut subject, name).await?;
    }
    for name in ["a", "b"].iter().cycle().take(STARTS) {
        let began = clock::now();
        first_answer(&mut subject, name).await?;
        note(began, &subject, Quantity::SwapMillis, results);
    }
    subject.end()
}

/// Asks for one token until it comes; a server that loads refuses.
async fn first_answer(subject: &mut Subject, model: &str) -> Result<()> {
    let body = format!(
        r#"{{"model":"{model}","messages":[{{"role":"user","content":"Hello"}}],"max_tokens":1}}"#
    );
    let request = post(CHATS, body.as_bytes());
    loop {
        match subject.connect().await?.ask(&request).await {
            Err(error) if error.is::<Loading>() => sleep(PAUSE).await,
            asked => return asked.map(|_| ()),
        }
    }
}

fn note(began: u64, subject: &Subject, quantity: Quantity, results: &mut Results) {
    let millis = micros(clock::now() - began) / 1e3;
    results.add(Case::RealStarts, quantity, subject.name, millis);
}
