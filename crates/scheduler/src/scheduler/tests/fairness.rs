use super::*;
use std::collections::HashMap;

/// Ten clients with one request each and one with a hundred get the same share of a busy model.
#[test]
fn a_greedy_client_takes_nothing_from_the_others() {
    let mut harness = Harness::new(10, &[10]);
    let mut of = HashMap::new();
    for _ in 0..90 {
        of.insert(harness.request_of(0, 0).0, 0);
    }
    for client in 1..10 {
        of.insert(harness.request_of(0, client).0, client);
    }
    harness.inspected(0);
    harness.ready(0);
    let mut served: HashMap<u64, u32> = HashMap::new();
    let mut in_flight: Vec<u64> = harness.granted();
    for _ in 0..500 {
        let done = in_flight.remove(0);
        let client = of[&done];
        *served.entry(client).or_default() += 1;
        of.insert(harness.request_of(0, client).0, client);
        harness.release(0);
        in_flight.extend(harness.granted());
    }
    assert!(
        served[&0] <= 60,
        "the greedy one was served {} times",
        served[&0]
    );
    for client in 1..10 {
        let share = served[&client];
        assert!(
            share >= 48,
            "client {client} was served {share} times of 500"
        );
    }
}

/// Clients that alternate between two models which do not fit together cause far fewer swaps than requests, and
/// no request waits longer than the bound.
#[test]
fn alternating_between_two_models_batches_them() {
    let mut harness = Harness::new(10, &[10, 10]);
    let mut waiting: HashMap<u64, (usize, Instant)> = HashMap::new();
    let mut flying: Vec<(u64, usize, Instant)> = Vec::new();
    let (mut served, mut longest) = (0_u32, Duration::ZERO);
    let mut loading: Option<(usize, Instant)> = None;
    let mut swaps = 0_u32;
    for client in 0..8 {
        let model = usize::try_from(client % 2).unwrap();
        let id = harness.request_of(model, client);
        waiting.insert(id.0, (model, harness.now));
    }
    let end = harness.now + secs(1800);
    while harness.now < end {
        for action in harness.take_actions() {
            match action {
                Action::Inspect { model } => harness.inspected(model.0),
                Action::Start { model } => loading = Some((model.0, harness.now + secs(3))),
                Action::Stop { model } => {
                    swaps += 1;
                    harness.stopped(model.0);
                }
                Action::Grant { id, model, .. } => {
                    let (_, since) = waiting.remove(&id.0).unwrap();
                    longest = longest.max(harness.now - since);
                    flying.push((id.0, model.0, harness.now + Duration::from_millis(300)));
                }
                Action::Prefetch { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        harness.pass(Duration::from_millis(100));
        if let Some((model, _)) = loading.filter(|(_, until)| *until <= harness.now) {
            loading = None;
            harness.ready(model);
        }
        for (id, model, _) in flying
            .extract_if(.., |(_, _, until)| *until <= harness.now)
            .collect::<Vec<_>>()
        {
            harness.release(model);
            served += 1;
            let next = harness.request_of(1 - model, id);
            waiting.insert(next.0, (1 - model, harness.now));
        }
    }
    assert!(served > 1000, "{served} requests were served");
    assert!(swaps * 5 < served, "{swaps} swaps for {served} requests");
    // The bound is max_wait, the drain of a request, a load of 3 s, and the round of the other clients.
    assert!(longest < secs(40), "one waited {longest:?}");
}
