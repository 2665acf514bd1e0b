//! What is added to a cold start and to a swap: from the request to its answer, less what the child
//! took from its first moment to its readiness. That is noted by the child.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tokio::time::sleep;

use super::Case;
use crate::clock;
use crate::load::bodies::{self, CHATS};
use crate::load::{get, post};
use crate::results::{Quantity, Results};
use crate::stats::micros;
use crate::subjects::{Subject, Subjects, paddock};

const STARTS: u64 = 20;

/// Between two questions whether a child has gone.
const PAUSE: Duration = Duration::from_millis(10);

/// How long a child may take to go.
const GONE: Duration = Duration::from_secs(10);

/// Nobody is waited for: a model goes as soon as it is idle.
pub(super) const COLD: &str = "keep_alive = \"0s\"\n";

/// One model at a time.
pub(super) const SWAP: &str = "[scheduler]\nmax_loaded = 1\nmin_residency = \"0s\"\n";

/// What is done before each start.
#[derive(Debug, Clone, Copy)]
enum Before {
    /// The other model stays, and has to go when this one is asked for.
    Nothing,
    /// It goes by itself.
    Wait,
    /// It is told to go, by this request.
    Ask(&'static str),
}

pub(super) async fn run(subjects: &Subjects, results: &mut Results) -> Result<()> {
    let load = ["--load-ms".to_owned(), "50".to_owned()];
    let start = |more| paddock::start_two(&subjects.place, &subjects.paddock, &load, more);
    measure(start(COLD)?, Before::Wait, results).await?;
    measure(start(SWAP)?, Before::Nothing, results).await?;
    let child = format!("{} {}", subjects.place.child().display(), load.join(" "));
    for peer in &subjects.peers {
        for before in [Before::Ask("/unload"), Before::Nothing] {
            if let Some(subject) = peer.start_two(&subjects.place, &child)? {
                measure(subject, before, results).await?;
            }
        }
    }
    Ok(())
}

/// Asks two models in turn.
async fn measure(mut subject: Subject, before: Before, results: &mut Results) -> Result<()> {
    let quantity = match before {
        Before::Nothing => Quantity::SwapMillis,
        Before::Wait | Before::Ask(_) => Quantity::ColdMillis,
    };
    // The first one waits for paddock to ask the engine what it can.
    added(&mut subject, 0).await?;
    for start in 1..=STARTS {
        match before {
            Before::Nothing => {}
            Before::Wait => until_unloaded(&mut subject).await?,
            Before::Ask(path) => {
                let mut client = subject.connect().await?;
                client.ask(&get(path)).await?;
            }
        }
        let millis = added(&mut subject, start).await?;
        results.add(Case::Starts, quantity, subject.name, millis);
    }
    Ok(())
}

/// Waits until none of paddock's models has a child.
pub(super) async fn until_unloaded(subject: &mut Subject) -> Result<()> {
    let mut client = subject.connect().await?;
    let until = clock::now() + clock::nanoseconds(GONE);
    loop {
        let answer: Value = serde_json::from_slice(client.ask(&get("/v1/models")).await?)?;
        let models = answer["data"].as_array().context("no models")?;
        if models.iter().all(|model| model["status"] == "unloaded") {
            return Ok(());
        }
        ensure!(clock::now() < until, "still there: {answer}");
        sleep(PAUSE).await;
    }
}

/// Asks one of two models in turn, and returns what was added, in milliseconds.
async fn added(subject: &mut Subject, turn: u64) -> Result<f64> {
    let mut client = subject.connect().await?;
    let name = if turn.is_multiple_of(2) { "a" } else { "b" };
    let asked = clock::now();
    let request = post(CHATS, &bodies::wish(name, "/stamp"));
    let answer = client.ask(&request).await?;
    let took = clock::now() - asked;
    let answer: Value = serde_json::from_slice(answer)?;
    let moment = |name: &str| answer[name].as_u64().with_context(|| name.to_owned());
    let own = moment("ready")? - moment("began")?;
    Ok(micros(took.saturating_sub(own)) / 1e3)
}
