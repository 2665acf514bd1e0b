//! Cases in which clients keep the subjects busy.

use anyhow::{Context as _, Result, ensure};
use memchr::memmem;

use super::{Case, note};
use crate::child::BURST;
use crate::load::bodies::{self, CHATS};
use crate::load::{Load, Work, measure, post};
use crate::options::Options;
use crate::results::{Quantity, Results};
use crate::say;
use crate::subjects::{Name, Subject, Subjects, paddock};

/// Measures each subject once a round; the order changes from round to round.
pub(super) async fn run(
    case: Case,
    subjects: &Subjects,
    options: &Options,
    results: &mut Results,
) -> Result<()> {
    let load = load(case).context("it has no load")?;
    let mut order: Vec<&Subject> = subjects.all.iter().collect();
    let two;
    if is_named(case) {
        let started = paddock::start_models(&subjects.place, &subjects.paddock, 2)?;
        two = started.answers().await?;
        order.retain(|subject| subject.name != two.name);
        order.push(&two);
    }
    let mut serving = Vec::new();
    for subject in order {
        if serves(case, &load, subject).await? {
            serving.push(subject);
        }
    }
    let mut order = serving;
    let mut medians = Vec::new();
    for _ in 0..options.rounds {
        for subject in &order {
            let proxy = subject.proxy.as_ref();
            let sample = measure(&load, subject.address, proxy, options.window()).await?;
            note(case, subject.name, &sample, events(case), results);
            medians.push((subject.name, sample.p50));
        }
        order.rotate_left(1);
    }
    add_added(case, &medians, results);
    Ok(())
}

/// One connection wakes a processor that sleeps or finds one awake, by chance: what is added is counted from
/// the least that the way takes. Where a proxy is faster than none, it was that chance that was measured.
fn add_added(case: Case, medians: &[(Name, f64)], results: &mut Results) {
    let of_direct = medians.iter().filter(|(name, _)| *name == Name::Direct);
    let Some(direct) = of_direct.map(|(_, median)| *median).reduce(f64::min) else {
        return;
    };
    if medians.iter().any(|(_, median)| *median < direct) {
        return;
    }
    for (name, median) in medians {
        if *name != Name::Direct {
            results.add(case, Quantity::Added, *name, median - direct);
        }
    }
}

/// What a case asks of a subject; nothing where it is more than a load.
fn load(case: Case) -> Option<Load> {
    let chat = |connections, body: &[u8]| {
        let request = post(CHATS, body).into();
        Some(Load {
            connections,
            work: Work::Ask(request),
        })
    };
    let listen = |connections, every_us| {
        Some(Load {
            connections,
            work: Work::Listen { every_us },
        })
    };
    match case {
        Case::One => chat(1, bodies::CHAT),
        Case::Many => chat(32, bodies::CHAT),
        Case::Upload => chat(8, &bodies::named_first(64 * 1024)),
        Case::NamedFirst => chat(4, &bodies::named_first(1024 * 1024)),
        Case::NamedLast => chat(4, &bodies::named_last(1024 * 1024)),
        Case::BigUpload => chat(2, &bodies::named_first(8 * 1024 * 1024)),
        Case::Burst => Some(Load {
            connections: 8,
            work: Work::Ask(post(CHATS, &bodies::wish("instant", "/burst")).into()),
        }),
        Case::Paced => listen(64, 10_000),
        Case::Thousand => listen(1000, 100_000),
        Case::Idle
        | Case::Readiness
        | Case::Starts
        | Case::Router
        | Case::RealStarts
        | Case::Models
        | Case::Open => None,
    }
}

/// Whether paddock has to find the model's name in the body: it has one model otherwise, whose all
/// requests are.
fn is_named(case: Case) -> bool {
    matches!(case, Case::NamedFirst | Case::NamedLast)
}

/// Events that one counted answer holds.
fn events(case: Case) -> usize {
    if case == Case::Burst { BURST } else { 1 }
}

/// Whether a subject takes part: all do, but for peers that do not answer as they should.
async fn serves(case: Case, load: &Load, subject: &Subject) -> Result<bool> {
    match check(case, load, subject).await {
        Err(error) if subject.name.is_peer() => {
            say::progress(&format!("  without {}: {error:#}", subject.name.words()));
            Ok(false)
        }
        checked => checked.map(|()| true),
    }
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
    fn what_is_added_counts_from_the_least_that_the_way_takes() {
        let mut results = Results::default();
        let medians = [
            (Name::Direct, 70.0),
            (Name::Paddock, 30.0),
            (Name::Direct, 10.0),
            (Name::Paddock, 90.0),
        ];
        add_added(Case::One, &medians, &mut results);
        let added = results.get(Case::One, Quantity::Added, Name::Paddock);
        assert_eq!(added, [20.0, 80.0]);
        let chance = [(Name::Direct, 70.0), (Name::Paddock, 30.0)];
        add_added(Case::Many, &chance, &mut results);
        let added = results.get(Case::Many, Quantity::Added, Name::Paddock);
        assert!(added.is_empty());
    }
}
