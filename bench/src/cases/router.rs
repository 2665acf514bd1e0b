//! llama-server's own router and paddock, both in front of a real llama-server, on a route that costs it
//! little.

use anyhow::Result;

use super::{Case, note};
use crate::load::{Load, Work, measure, post};
use crate::options::Options;
use crate::results::Results;
use crate::say;
use crate::subjects::{Engine, Subject, Subjects};

const TOKENIZE: &str = "/tokenize";

const TEXT: &[u8] = br#"{"model":"instant","content":"What is the capital of France?"}"#;

pub(super) async fn run(
    subjects: &Subjects,
    options: &Options,
    results: &mut Results,
) -> Result<()> {
    let Some(engine) = Engine::find() else {
        say::progress("  no PADDOCK_TEST_ENGINE and PADDOCK_TEST_MODEL: left out");
        return Ok(());
    };
    let place = &subjects.place;
    let request = post(TOKENIZE, TEXT);
    let mut all: Vec<Subject> = Vec::new();
    for subject in [
        engine.direct(place)?,
        engine.paddock(place, &subjects.paddock)?,
        engine.router(place)?,
    ] {
        all.push(subject.answers_to(&request).await?);
    }
    let load = Load {
        connections: 8,
        work: Work::Ask(request.into()),
    };
    for _ in 0..options.rounds {
        for subject in &all {
            let proxy = subject.proxy.as_ref();
            let sample = measure(&load, subject.address, proxy, options.window()).await?;
            note(Case::Router, subject.name, &sample, 1, results);
        }
        all.rotate_left(1);
    }
    Ok(())
}
