//! Measures the time from the child's readiness until a waiting request reaches it. The child
//! records both times.

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::Case;
use crate::load::post;
use crate::results::{Quantity, RunResults};
use crate::stats::micros;
use crate::subjects::{SubjectName, Subjects, paddock};

const START_COUNT: u64 = 20;

pub(super) async fn run(subjects: &Subjects, results: &mut RunResults) -> Result<()> {
    for start in 0..START_COUNT {
        // Load times vary, so that they do not coincide with polls.
        let load = ["--load-ms".to_owned(), (60 + 13 * start).to_string()];
        let millis = measure_readiness(subjects, &load).await?;
        results.add(
            Case::Readiness,
            Quantity::EventMillis,
            SubjectName::Paddock,
            millis,
        );

        let mute = [&load[..], &["--no-event".to_owned()]].concat();
        let millis = measure_readiness(subjects, &mute).await?;
        results.add(
            Case::Readiness,
            Quantity::PolledMillis,
            SubjectName::Paddock,
            millis,
        );
    }
    Ok(())
}

/// Starts a paddock, sends a request at once, and returns the time in milliseconds between the
/// child's readiness and the arrival of the request.
async fn measure_readiness(subjects: &Subjects, child_args: &[String]) -> Result<f64> {
    let mut paddock = paddock::start(&subjects.run_dir, &subjects.paddock, child_args)?;
    let mut client = paddock.connect().await?;
    let answer = client.ask(&post("/stamp", b"{}")).await?;
    let answer: Value = serde_json::from_slice(answer)?;
    let moment = |name: &str| answer[name].as_u64().with_context(|| name.to_owned());
    Ok(micros(moment("came")? - moment("ready")?) / 1e3)
}
