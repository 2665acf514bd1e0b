//! Tests of the sentences: one case for each kind of event.

use super::*;
use crate::child_failure::{ChildFailure, RestartDecision};
use crate::fixture::failure;
use crate::inspection::PromptCache;
use paddock_scheduler::{Memory, RequestId};
use paddock_supervisor::FailureClass;
use std::time::UNIX_EPOCH;

const MIB: u64 = 1 << 20;

fn names() -> DisplayNames {
    DisplayNames {
        models: ["m", "other", "third"].map(str::to_owned).to_vec(),
        devices: vec!["CUDA0".to_owned()],
    }
}

fn mib(count: u64) -> Memory {
    Memory::needed(count * MIB)
}

fn assert_sentences(table: impl IntoIterator<Item = (Note, &'static str, &'static str)>) {
    for (note, kind, sentence) in table {
        let event = JournalEvent::Decided(note);
        assert_eq!(event.sentence(ModelId(0), &names()), sentence);
        assert_eq!(event.kind(), kind, "{sentence}");
    }
}

#[test]
fn demand_names_the_party() {
    let wanted = |by| Note::Wanted { by };
    assert_sentences([
        (
            wanted(WantedBy::Request(RequestId(7))),
            "wanted",
            "m was requested by a client",
        ),
        (
            wanted(WantedBy::Operator),
            "wanted",
            "m was requested by the operator, or set to load at startup",
        ),
        (
            wanted(WantedBy::Queue),
            "wanted",
            "m is needed again: it was unloaded while requests were waiting for it",
        ),
        (
            Note::Abandoned,
            "abandoned",
            "m was not loaded: no request is waiting for it any more",
        ),
    ]);
}

#[test]
fn a_start_names_the_memory_and_the_models_in_the_way() {
    let waits = |kept: &[ModelId], pinned: &[ModelId]| Note::WaitsForRoom {
        needs: mib(300),
        free: mib(100),
        kept: kept.to_vec(),
        pinned: pinned.to_vec(),
    };
    assert_sentences([
        (
            waits(&[], &[]),
            "waits_for_room",
            "m is waiting for memory: it needs 300 MiB, and 100 MiB is free",
        ),
        (
            waits(&[ModelId(1)], &[ModelId(2)]),
            "waits_for_room",
            "m is waiting for memory: it needs 300 MiB, and 100 MiB is free; in use or recently loaded: other; \
             pinned: third",
        ),
        (
            Note::Tries,
            "tries",
            "m has never been loaded: the engine checks its files before any model is evicted",
        ),
        (
            Note::MakesRoom {
                needs: mib(300),
                victims: vec![ModelId(1), ModelId(2)],
            },
            "makes_room",
            "m needs 300 MiB: unloading other, third to free memory",
        ),
        (
            Note::Starts {
                needs: mib(300).with_device(0, MIB),
                free: mib(400),
            },
            "starts",
            "m was started: it is expected to use 300 MiB and 1.00 MiB on CUDA0 of the 400 MiB that is free",
        ),
        (
            Note::Ready {
                took: Duration::from_millis(430),
            },
            "ready",
            "m was ready after 0.43 s",
        ),
    ]);
}

#[test]
fn an_eviction_names_its_reason() {
    let drains_for = |in_flight| Note::DrainsFor {
        to: ModelId(2),
        waited: Duration::from_secs(30),
        in_flight,
    };
    assert_sentences([
        (
            Note::Evicted {
                by: ModelId(1),
                idle: Duration::from_mins(1),
                worth: 0.704,
                frees: mib(300),
            },
            "evicted",
            "m was evicted to make room for other: it was idle for 60 s and freed 300 MiB; no cheaper choice was \
             found (value 0.70: recent uses × load seconds)",
        ),
        (
            Note::OverBudget {
                idle: Duration::from_mins(1),
                over: mib(30),
            },
            "evicted",
            "m was evicted after being idle for 60 s: loaded models exceeded the budget by 30.0 MiB",
        ),
        (
            drains_for(3),
            "yields",
            "m accepts no new requests and will be unloaded once its 3 in-flight requests finish: third has \
             waited 30 s for its memory",
        ),
        (
            drains_for(1),
            "yields",
            "m accepts no new requests and will be unloaded once its in-flight request finishes: third has \
             waited 30 s for its memory",
        ),
        (
            Note::DrainCancelled,
            "stays",
            "m stays loaded: it no longer has to make room for another model",
        ),
        (
            Note::KeepAliveExpired {
                idle: Duration::from_mins(10),
            },
            "keep_alive_over",
            "m was unloaded after being idle for 10 min (its keep_alive)",
        ),
        (Note::Unloaded, "unloaded", "m was unloaded by the operator"),
        (
            Note::Reconfigured,
            "reconfigured",
            "m was unloaded: its configuration changed, or the model was removed",
        ),
    ]);
}

#[test]
fn a_pin_names_its_author() {
    let configuration = PinnedBy::Configuration;
    let operator = PinnedBy::Operator;
    assert_sentences([
        (
            Note::Pinned { by: operator },
            "pinned",
            "the operator pinned m: it will not be evicted, nor unloaded when idle",
        ),
        (
            Note::Pinned { by: configuration },
            "pinned",
            "a configuration change pinned m: it will not be evicted, nor unloaded when idle",
        ),
        (
            Note::Unpinned { by: operator },
            "unpinned",
            "the operator unpinned m: it can be evicted again, and unloaded when idle",
        ),
    ]);
}

#[test]
fn a_refusal_names_what_would_help() {
    let does_not_fit = |pinned: &[ModelId]| Note::DoesNotFit {
        needs: mib(300),
        available: mib(200),
        pinned: pinned.to_vec(),
    };
    assert_sentences([
        (
            Note::OutOfMemory { free: mib(400) },
            "out_of_memory",
            "m ran out of memory although 400 MiB was expected to be free: another model will be evicted and m \
             tried once more",
        ),
        (
            Note::Failed {
                retry: Some(Duration::from_mins(1)),
            },
            "failed",
            "m failed; it can be tried again after 60 s",
        ),
        (
            Note::Failed { retry: None },
            "failed",
            "m failed; it will not be tried again until its files or its configuration change",
        ),
        (
            does_not_fit(&[]),
            "does_not_fit",
            "m cannot be loaded: it needs 300 MiB, but at most 200 MiB can be freed; no model was evicted",
        ),
        (
            does_not_fit(&[ModelId(1), ModelId(2)]),
            "does_not_fit",
            "m cannot be loaded: it needs 300 MiB, but at most 200 MiB can be freed; no model was evicted; to free \
             more, unpin: other, third",
        ),
    ]);
}

#[test]
fn events_of_children_and_files_have_sentences_of_their_own() {
    let table = [
        (
            JournalEvent::ChildFailed(ChildFailure {
                class: FailureClass::Crashed,
                message: "it crashed".to_owned(),
                streak: (1, Duration::ZERO),
                decision: RestartDecision::SchedulerDecides,
            }),
            "died",
            "m failed (crashed): it crashed",
        ),
        (
            JournalEvent::Unloadable(failure(FailureClass::BadFile, "there is no file x")),
            "unloadable",
            "m cannot be loaded: there is no file x",
        ),
        (
            JournalEvent::PromptCache(PromptCache::default()),
            "prompt_cache",
            "m uses the engine's default prompt cache",
        ),
    ];
    for (event, kind, sentence) in table {
        assert_eq!(event.kind(), kind);
        assert_eq!(event.sentence(ModelId(0), &names()), sentence);
    }
}

#[test]
fn repeated_refusals_are_counted() {
    let at = UNIX_EPOCH + Duration::from_secs(61);
    assert_eq!(
        describe_repeats(1, at),
        "; refused once more for the same reason, at 00:01:01 UTC"
    );
    assert_eq!(
        describe_repeats(105, at),
        "; refused 105 more times for the same reason, last at 00:01:01 UTC"
    );
}
