//! From the moment the child is ready to the moment a waiting request reaches it. Both are
//! noted by the child.

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::Case;
use crate::load::post;
use crate::results::{Quantity, Results};
use crate::stats::micros;
use crate::subjects::{Name, Subjects, paddock};

const STARTS: u64 = 20;

pub(super) async fn run(subjects: &Subjects, results: &mut Results) -> Result<()> {
    for start in 0..STARTS {
        // Loads of several lengths: they shall not fall in step with a poll.
        let load = ["--load-ms".to_owned(), (60 + 13 * start).to_string()];
        let millis = wait(subjects, &load).await?;
        results.add(
            Case::Readiness,
            Quantity::EventMillis,
            Name::Paddock,
            millis,
        );

        let mute = [&load[..], &["--no-event".to_owned()]].concat();
        let millis = wait(subjects, &mute).await?;
        results.add(
            Case::Readiness,
            Quantity::PolledMillis,
            Name::Paddock,
            millis,
        );
    }
    Ok(())
}

/// Starts a paddock, asks it at once, and returns how long after the child's readiness the
/// request reached the child, in milliseconds.
async fn wait(subjects: &Subjects, child_args: &[String]) -> Result<f64> {
    let mut paddock = paddock::start(&subjects.place, &subjects.paddock, child_args)?;
    let mut client = paddock.connect().await?;
    let answer = client.ask(&post("/stamp", b"{}")).await?;
    let answer: Value = serde_json::from_slice(answer)?;
    let moment = |name: &str| answer[name].as_u64().with_context(|| name.to_owned());
    Ok(micros(moment("came")? - moment("ready")?) / 1e3)
}
