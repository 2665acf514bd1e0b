//! Cases in which clients keep the subjects busy.

use anyhow::{Context as _, Result, ensure};
use memchr::memmem;

use super::{Case, record};
use crate::bench_options::BenchOptions;
use crate::child::BURST_EVENTS;
use crate::load::request_bodies::{self, CHAT_PATH};
use crate::load::{ClientWork, Load, measure, post};
use crate::output;
use crate::results::{Quantity, RunResults};
use crate::subjects::{Subject, SubjectName, Subjects, paddock};

/// Measures each subject once per round, in rotating order.
pub(super) async fn run(
    case: Case,
    subjects: &Subjects,
    options: &BenchOptions,
    results: &mut RunResults,
) -> Result<()> {
    let load = load_of(case).context("the case has no load")?;
    let mut order: Vec<&Subject> = subjects.all.iter().collect();
    let two;
    if needs_model_name(case) {
        let started = paddock::start_models(&subjects.run_dir, &subjects.paddock, 2)?;
        two = started.wait_until_serving().await?;
        order.retain(|subject| subject.name != two.name);
        order.push(&two);
    }
    let mut serving = Vec::new();
    for subject in order {
        if takes_part(case, &load, subject).await? {
            serving.push(subject);
        }
    }
    let mut order = serving;
    let mut medians = Vec::new();
    for _ in 0..options.rounds {
        for subject in &order {
            let proxy = subject.proxy.as_ref();
            let sample = measure(&load, subject.address, proxy, options.window()).await?;
            record(
                case,
                subject.name,
                &sample,
                events_per_answer(case),
                results,
            );
            medians.push((subject.name, sample.p50));
        }
        order.rotate_left(1);
    }
    record_added(case, &medians, results);
    Ok(())
}

/// Records the time that each proxy adds. A single connection may or may not have to wake a
/// sleeping processor, so the added time is relative to the fastest direct measurement. If a proxy
/// is faster than that, chance dominated and no figure is recorded.
fn record_added(case: Case, medians: &[(SubjectName, f64)], results: &mut RunResults) {
    let of_direct = medians
        .iter()
        .filter(|(name, _)| *name == SubjectName::Direct);
    let Some(direct) = of_direct.map(|(_, median)| *median).reduce(f64::min) else {
        return;
    };
    if medians.iter().any(|(_, median)| *median < direct) {
        return;
    }
    for (name, median) in medians {
        if *name != SubjectName::Direct {
            results.add(case, Quantity::Added, *name, median - direct);
        }
    }
}

/// Returns the load of a case, or `None` for cases that are more than a load.
fn load_of(case: Case) -> Option<Load> {
    let chat = |connections, body: &[u8]| {
        let request = post(CHAT_PATH, body).into();
        Some(Load {
            connections,
            work: ClientWork::Ask(request),
        })
    };
    let listen = |connections, every_us| {
        Some(Load {
            connections,
            work: ClientWork::Listen { every_us },
        })
    };
    match case {
        Case::One => chat(1, request_bodies::SMALL_CHAT),
        Case::Many => chat(32, request_bodies::SMALL_CHAT),
        Case::Upload => chat(8, &request_bodies::chat_model_first(64 * 1024)),
        Case::NamedFirst => chat(4, &request_bodies::chat_model_first(1024 * 1024)),
        Case::NamedLast => chat(4, &request_bodies::chat_model_last(1024 * 1024)),
        Case::BigUpload => chat(2, &request_bodies::chat_model_first(8 * 1024 * 1024)),
        Case::Burst => Some(Load {
            connections: 8,
            work: ClientWork::Ask(
                post(
                    CHAT_PATH,
                    &request_bodies::chat_for_route("instant", "/burst"),
                )
                .into(),
            ),
        }),
        Case::Paced => listen(64, 10_000),
        Case::Thousand => listen(1000, 100_000),
        Case::Idle
        | Case::Readiness
        | Case::Starts
        | Case::Router
        | Case::RealStarts
        | Case::Conversations
        | Case::Models
        | Case::Open => None,
    }
}

/// Returns true if paddock must find the model's name in the body. With a single model all requests
/// are for that model.
fn needs_model_name(case: Case) -> bool {
    matches!(case, Case::NamedFirst | Case::NamedLast)
}

/// Returns the number of events in one response.
fn events_per_answer(case: Case) -> usize {
    if case == Case::Burst { BURST_EVENTS } else { 1 }
}

/// Returns true if a subject takes part. Peers that answer wrongly do not.
async fn takes_part(case: Case, load: &Load, subject: &Subject) -> Result<bool> {
    match check_answer(case, load, subject).await {
        Err(error) if subject.name.is_peer() => {
            output::progress(&format!("  without {}: {error:#}", subject.name.label()));
            Ok(false)
        }
        checked => checked.map(|()| true),
    }
}

/// Checks that a subject answers correctly before it is measured.
async fn check_answer(case: Case, load: &Load, subject: &Subject) -> Result<()> {
    let ClientWork::Ask(request) = &load.work else {
        return Ok(());
    };
    let mut client = crate::load::Client::connect(subject.address).await?;
    let answer = client.ask(request).await?;
    let right = if case == Case::Burst {
        // A proxy may rechunk the body, even in the middle of an event.
        memmem::find_iter(&dechunk(answer), b"data: ").count() == BURST_EVENTS
    } else {
        memmem::find(answer, b"Paris").is_some()
    };
    ensure!(right, "{:?} gives a wrong answer", subject.name);
    Ok(())
}

/// Returns the data of a chunked body, up to the first malformed chunk.
fn dechunk(mut body: &[u8]) -> Vec<u8> {
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
    fn chunks_are_joined() {
        assert_eq!(dechunk(b"2\r\nda\r\n3;x\r\nta:\r\n0\r\n\r\n"), b"data:");
        assert_eq!(dechunk(b"5\r\nab"), b"");
    }

    #[test]
    fn added_time_is_relative_to_the_fastest_direct_median() {
        let mut results = RunResults::default();
        let medians = [
            (SubjectName::Direct, 70.0),
            (SubjectName::Paddock, 30.0),
            (SubjectName::Direct, 10.0),
            (SubjectName::Paddock, 90.0),
        ];
        record_added(Case::One, &medians, &mut results);
        let added = results.get(Case::One, Quantity::Added, SubjectName::Paddock);
        assert_eq!(added, [20.0, 80.0]);
        let chance = [(SubjectName::Direct, 70.0), (SubjectName::Paddock, 30.0)];
        record_added(Case::Many, &chance, &mut results);
        let added = results.get(Case::Many, Quantity::Added, SubjectName::Paddock);
        assert!(added.is_empty());
    }
}
