//! Cases in which clients keep the subjects busy.

use anyhow::{Result, ensure};
use memchr::memmem;

use super::Case;
use crate::child::BURST;
use crate::load::{Load, Work, measure, post};
use crate::options::Options;
use crate::results::{Quantity, Results};
use crate::stats::float;
use crate::subjects::{Name, Subject, Subjects};

pub(crate) const CHAT: &[u8] = br#"{"model":"instant","messages":[{"role":"system","content":"You are a helpful assistant."},{"role":"user","content":"What is the capital of France?"}],"temperature":0.7,"max_tokens":64}"#;

/// Measures each subject once a round; the order changes from round to round.
pub(super) async fn run(
    case: Case,
    subjects: &Subjects,
    options: &Options,
    results: &mut Results,
) -> Result<()> {
    let load = load(case);
    for subject in &subjects.all {
        check(case, &load, subject).await?;
    }
    let mut order: Vec<&Subject> = subjects.all.iter().collect();
    for _ in 0..options.rounds {
        let mut medians = Vec::new();
        for subject in &order {
            let proxy = subject.proxy.as_ref();
            let sample = measure(&load, subject.address, proxy, options.window()).await?;
            let mut add = |quantity, figure| results.add(case, quantity, subject.name, figure);
            add(Quantity::P50, sample.p50);
            add(Quantity::P99, sample.p99);
            add(Quantity::PerSecond, float(sample.count) / sample.seconds);
            if let Some(cpu) = sample.cpu {
                add(Quantity::Cpu, cpu / float(events(case)));
            }
            medians.push((subject.name, sample.p50));
        }
        add_added(case, &medians, results);
        order.rotate_left(1);
    }
    Ok(())
}

fn add_added(case: Case, medians: &[(Name, f64)], results: &mut Results) {
    let direct = medians.iter().find(|(name, _)| *name == Name::Direct);
    let Some((_, direct)) = direct else { return };
    for (name, median) in medians {
        if *name != Name::Direct {
            results.add(case, Quantity::Added, *name, median - direct);
        }
    }
}

fn load(case: Case) -> Load {
    let ask = |connections, request: Vec<u8>| Load {
        connections,
        work: Work::Ask(request.into()),
    };
    match case {
        Case::Many => ask(32, post("/v1/chat/completions", CHAT)),
        Case::Upload => ask(8, post("/v1/chat/completions", &long_chat(64 * 1024))),
        Case::Burst => ask(8, post("/burst", CHAT)),
        Case::Paced => Load {
            connections: 64,
            work: Work::Listen,
        },
        Case::One | Case::Idle | Case::Readiness | Case::Starts => {
            ask(1, post("/v1/chat/completions", CHAT))
        }
    }
}

/// A request body of this length.
fn long_chat(len: usize) -> Vec<u8> {
    let (start, end) = (
        &br#"{"model":"instant","messages":[{"role":"user","content":""#[..],
        &br#""}]}"#[..],
    );
    let text = vec![b'x'; len - start.len() - end.len()];
    [start, &text, end].concat()
}

/// Events that one counted answer holds.
fn events(case: Case) -> usize {
    if case == Case::Burst { BURST } else { 1 }
}

/// Whether a subject answers as it should before its speed is looked at.
async fn check(case: Case, load: &Load, subject: &Subject) -> Result<()> {
    let Work::Ask(request) = &load.work else {
        return Ok(());
    };
    let mut client = crate::load::Client::connect(subject.address).await?;
    let answer = client.ask(request).await?;
    let right = if case == Case::Burst {
        // A proxy may cut the chunks anew, also in the middle of an event.
        memmem::find_iter(&unframed(answer), b"data: ").count() == BURST
    } else {
        memmem::find(answer, b"Paris").is_some()
    };
    ensure!(right, "{:?} answers wrongly", subject.name);
    Ok(())
}

/// The data of a chunked body, up to what is no chunk.
fn unframed(mut body: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    while let Ok(httparse::Status::Complete((start, size))) = httparse::parse_chunk_size(body) {
        let end = usize::try_from(size).map_or(usize::MAX, |size| start.saturating_add(size));
        let Some(chunk) = body.get(start..end) else {
            break;
        };
        data.extend_from_slice(chunk);
        body = body.get(end + 2..).unwrap_or_default();
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_put_together() {
        assert_eq!(unframed(b"2\r\nda\r\n3;x\r\nta:\r\n0\r\n\r\n"), b"data:");
        assert_eq!(unframed(b"5\r\nab"), b"");
    }

    #[test]
    fn long_bodies_are_json_of_their_length() {
        let body = long_chat(64 * 1024);
        assert_eq!(body.len(), 64 * 1024);
        assert!(serde_json::from_slice::<serde_json::Value>(&body).is_ok());
    }
}
