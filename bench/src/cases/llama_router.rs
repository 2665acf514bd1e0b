//! Compares llama-server's own router with paddock, both in front of a real llama-server, on an
//! inexpensive route.

use anyhow::Result;

use super::{Case, record};
use crate::bench_options::BenchOptions;
use crate::load::{ClientWork, Load, measure, post};
use crate::output;
use crate::results::RunResults;
use crate::subjects::{RealEngine, Subject, Subjects};

const TOKENIZE: &str = "/tokenize";

const TEXT: &[u8] = br#"{"model":"instant","content":"What is the capital of France?"}"#;

pub(super) async fn run(
    subjects: &Subjects,
    options: &BenchOptions,
    results: &mut RunResults,
) -> Result<()> {
    let Some(engine) = RealEngine::find() else {
        output::progress("  skipped: set PADDOCK_TEST_ENGINE and PADDOCK_TEST_MODEL");
        return Ok(());
    };
    let run_dir = &subjects.run_dir;
    let request = post(TOKENIZE, TEXT);
    let mut all: Vec<Subject> = Vec::new();
    for subject in [
        engine.direct(run_dir)?,
        engine.paddock(run_dir, &subjects.paddock)?,
        engine.router(run_dir)?,
    ] {
        all.push(subject.wait_until_answered(&request).await?);
    }
    let load = Load {
        connections: 8,
        work: ClientWork::Ask(request.into()),
    };
    for _ in 0..options.rounds {
        for subject in &all {
            let proxy = subject.proxy.as_ref();
            let sample = measure(&load, subject.address, proxy, options.window()).await?;
            record(Case::Router, subject.name, &sample, 1, results);
        }
        all.rotate_left(1);
    }
    Ok(())
}
